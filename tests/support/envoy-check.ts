import { type Client, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import type { HeaderList } from "./header-call.ts";
import { decodeFields, encodeFields, type WireFields, type WireMessage } from "./wire-message.ts";

/** A request as Envoy has received it. */
export interface EnvoyRequest {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers: HeaderList;
  /** Whether Envoy sends headers as they came, by `encode_raw_headers`. */
  readonly raw?: boolean;
  /** What the route's configuration says. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** What Envoy reads of the answer. */
export interface EnvoyVerdict {
  readonly grpcStatus: number;
  /** Absent: the request passes. */
  readonly denied?: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
  readonly passed?: {
    readonly headers: Readonly<Record<string, string>>;
    readonly removed: readonly string[];
  };
}

/** Envoy's side of `ext_authz`. */
export interface EnvoyClient {
  check(request: EnvoyRequest): Promise<EnvoyVerdict>;
  close(): void;
}

const PATH = "/envoy.service.auth.v3.Authorization/Check";

/** Makes a client of grpc-js that knows the path and the bytes, and no schema. */
export function createEnvoyClient(address: string): EnvoyClient {
  const pass = (bytes: Buffer): Buffer => bytes;
  const definition = {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: pass,
    requestDeserialize: pass,
    responseSerialize: pass,
    responseDeserialize: pass,
  };
  const Stub = makeGenericClientConstructor({ check: definition }, "Authorization");
  const stub: Client = new Stub(address, credentials.createInsecure());
  return {
    close: () => stub.close(),
    check: (request) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.from(encodeFields(toCheckRequest(request)));
        const deadline = Date.now() + 20_000;
        stub.makeUnaryRequest(PATH, pass, pass, bytes, { deadline }, (error, answer) => {
          if (error || !answer) reject(error ?? new Error("no answer"));
          else resolve(toVerdict(decodeFields(answer)));
        });
      }),
  };
}

/** All that Envoy sends by default, by the numbers of `envoy/service/auth/v3`. */
function toCheckRequest({ extensions = {}, ...request }: EnvoyRequest): WireFields {
  const socket = (address: string, port: number): WireFields => [
    [
      1,
      [
        [
          1,
          [
            [2, address],
            [3, port],
          ],
        ],
      ],
    ],
  ];
  const attributes: WireFields = [
    [1, socket("192.0.2.1", 50_000)],
    [2, socket("192.0.2.2", 443)],
    [
      4,
      [
        [
          1,
          [
            [1, 1_790_000_000],
            [2, 5_000],
          ],
        ],
        [2, toHttp(request)],
      ],
    ],
    ...toMap(10, Object.entries(extensions)),
    [11, []],
    [12, [[1, "app.example.com"]]],
  ];
  return [[1, attributes]];
}

function toHttp(request: EnvoyRequest): WireFields {
  const { method = "GET", path = "/reports?page=2", host = "app.example.com", headers } = request;
  const pseudo = [
    [":method", method],
    [":path", path],
    [":authority", host],
    [":scheme", "https"],
    ["x-forwarded-proto", "https"],
    ["x-request-id", "8a0d0f1e"],
  ] as const;
  const all = [...pseudo, ...headers.map(([name, value]) => [name.toLowerCase(), value] as const)];
  const listed: WireFields = request.raw
    ? [
        [
          13,
          all.map(
            ([name, value]) =>
              [
                1,
                [
                  [1, name],
                  [3, value],
                ],
              ] as const,
          ),
        ],
      ]
    : toMap(3, joined(all));
  return [
    [1, "1234567890"],
    [2, method],
    ...listed,
    [4, path],
    [5, host],
    [6, "https"],
    [9, 0],
    [10, "HTTP/1.1"],
  ];
}

/** Envoy joins the values of headers of one name. */
function joined(headers: HeaderList): [string, string][] {
  const byName = new Map<string, string>();
  for (const [name, value] of headers) {
    const known = byName.get(name);
    byName.set(name, known === undefined ? value : `${known},${value}`);
  }
  return [...byName];
}

function toMap(field: number, entries: readonly (readonly [string, string])[]): WireFields {
  return entries.map(
    ([key, value]) =>
      [
        field,
        [
          [1, key],
          [2, value],
        ],
      ] as const,
  );
}

function toVerdict(answer: WireMessage): EnvoyVerdict {
  const [denied, passed] = [answer.message(2), answer.message(3)];
  return {
    grpcStatus: answer.message(1)?.number(1) ?? 0,
    ...(denied && {
      denied: {
        status: denied.message(1)?.number(1) ?? 403,
        headers: headersOf(denied),
        body: denied.text(3),
      },
    }),
    ...(passed && { passed: { headers: headersOf(passed), removed: passed.texts(5) } }),
  };
}

/** Envoy replaces a header unless it is told to append: nothing here may be appended. */
function headersOf(message: WireMessage): Record<string, string> {
  const options = message.messages(2);
  if (options.some((option) => option.message(2)?.number(1) === 1)) throw new Error("appended");
  const pairs = options.map((option) => {
    const header = option.message(1);
    return [header?.text(1) ?? "", header?.text(2) ?? ""] as const;
  });
  const headers = Object.fromEntries(pairs);
  if (Object.keys(headers).length !== pairs.length) throw new Error("a header stands twice");
  return headers;
}
