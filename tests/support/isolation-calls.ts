import { type DescMethod, fromJson, toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { withCredential } from "./builders.ts";
import type { Json } from "./isolation-fields.ts";
import { callJson } from "./json-call.ts";

/** Whatever a caller can see of an answer, but for what differs from call to call. */
export interface SeenAnswer {
  readonly refused: boolean;
  /** Whether it was the server's own fault, or is not built yet. */
  readonly code: string;
  readonly text: string;
  /** The same, with nothing taken out but what was sent. */
  readonly raw: string;
}

type Told = Omit<SeenAnswer, "raw">;

/** Longest wait for the first messages of a stream that goes on. */
const STREAM_MS_MAX = 3_000;
const MESSAGES_MAX = 2;
/** Differ from call to call. */
const PASSING_HEADERS = /^(date|x-request-id)$/;

/**
 * Makes a call, and returns the whole answer as one text: status, headers and body, to the byte.
 *
 * `sent` is replaced by a word, so that answers that repeat it can be compared.
 */
export async function callAsSeen(
  url: string,
  method: DescMethod,
  request: Json,
  { credential, sent }: { readonly credential: string; readonly sent: string },
): Promise<SeenAnswer> {
  const seen =
    method.methodKind === "unary"
      ? await callUnary(url, method, request, credential)
      : await callStream(url, method, request, credential);
  const told = sent === "" ? seen.text : seen.text.replaceAll(sent, "<sent>");
  return { ...seen, text: seen.refused ? told : steadied(told), raw: told };
}

async function callUnary(
  url: string,
  method: DescMethod,
  request: Json,
  credential: string,
): Promise<Told> {
  const path = `${method.parent.typeName}/${method.name}`;
  const { status, headers, body, json } = await callJson(url, path, request, credential);
  const refused = status !== 200;
  const shown = Object.entries(headers).filter(([name]) => isSteady(name, refused));
  const text = [status, JSON.stringify(shown.sort()), body].join("\n");
  return { refused, code: refused ? String(json.code) : "ok", text };
}

async function callStream(
  url: string,
  method: DescMethod,
  request: Json,
  credential: string,
): Promise<Told> {
  const transport = withCredential(createGrpcTransport({ baseUrl: url }), credential);
  const signal = AbortSignal.timeout(STREAM_MS_MAX);
  const messages: string[] = [];
  try {
    const { message } = await transport.stream(
      method as never,
      signal,
      undefined,
      undefined,
      requestsOf(method, request),
    );
    for await (const answer of message) {
      messages.push(JSON.stringify(toJson(method.output, answer as never)));
      if (messages.length === MESSAGES_MAX) break;
    }
  } catch (error) {
    if (!signal.aborted) return refusalSeen(ConnectError.from(error), messages);
  }
  return { refused: false, code: "ok", text: messages.join("\n") };
}

/** The rows of an import follow its options. */
async function* requestsOf(method: DescMethod, { options, rows, ...others }: Json) {
  const parse = (json: Json) => fromJson(method.input, json as never) as never;
  if (method.methodKind !== "bidi_streaming") {
    yield parse({ ...others, ...(options !== undefined && { options }) });
    return;
  }
  yield parse({ options });
  yield parse({ rows });
}

function refusalSeen(error: ConnectError, messages: readonly string[]): Told {
  const details = error.details.map((detail) =>
    "type" in detail ? [detail.type, Buffer.from(detail.value).toString("hex")] : [],
  );
  const headers = [...error.metadata].filter(([name]) => isSteady(name, true)).sort();
  const told = JSON.stringify([error.code, error.rawMessage, details, headers]);
  return { refused: true, code: `${error.code}`, text: [...messages, told].join("\n") };
}

/** Of an answer that is no refusal, the length depends on times. */
function isSteady(header: string, refused: boolean): boolean {
  return !PASSING_HEADERS.test(header) && (refused || header !== "content-length");
}

const TIME = /\d{4}-\d{2}-\d{2}T[\d:.]+Z/g;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const SECRET = /"(?:whsec_[\w+/=]+|sgn_[\w.-]+|[\w-]{24,}(?:\.[\w-]+)*|[A-Za-z0-9+/]{24,}=*)"/g;
const NUMBER =
  /"(version|position|epoch|count|sequence|row|lagChanges|lagMs|ageSecondsMax)":"?\d+"?/g;
const ADDRESS = /user-[0-9a-f]{12}@example\.com/g;
const AUTHENTICATOR = /secret=[A-Z2-7]+/g;

/** Takes out of an answer what every call makes anew. */
function steadied(text: string): string {
  return text
    .replace(TIME, "<time>")
    .replace(UUID, "<id>")
    .replace(ADDRESS, "<address>")
    .replace(AUTHENTICATOR, "secret=<secret>")
    .replace(SECRET, '"<secret>"')
    .replace(NUMBER, '"$1":<number>');
}
