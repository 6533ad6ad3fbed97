import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { type DescMethod, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import { envelope } from "./edge-calls.ts";
import { damagedBytes } from "./hostile-bytes.ts";
import type { Dice } from "./hostile-dice.ts";
import { damagedJson } from "./hostile-json.ts";
import { aimedMessage, type Target } from "./hostile-messages.ts";
import type { HostileRequest } from "./hostile-sender.ts";
import type { KnownNames } from "./hostile-values.ts";

/** Every way in which a message comes. */
export const PROTOCOLS = ["gRPC", "gRPC-Web", "Connect JSON", "Connect binary"] as const;
/** One of them. */
export type Protocol = (typeof PROTOCOLS)[number];

/** Whom hostile requests pretend to be. */
export interface Aim {
  readonly protocol: Protocol;
  readonly target: Target;
  readonly known: KnownNames;
  readonly credentials: readonly string[];
}

const NOTHING = new Uint8Array(0);
const BOMB = Buffer.alloc(40_000_000);
/** Each grows a thousand times and more; one has another within. */
const BOMBS: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["gzip", gzipSync(BOMB)],
  ["br", brotliCompressSync(BOMB.subarray(0, 10_000_000))],
  ["deflate", deflateSync(BOMB)],
  ["gzip", gzipSync(gzipSync(BOMB))],
];
const ENCODINGS = ["gzip", "br", "deflate", "identity", "zstd", "gzip, gzip", "", "x".repeat(300)];
const GRPC_TIMEOUTS = "99999999H,-1S,1,S,junk,0n,1n,999999999S,1e3m,1S1S, 5S,00000001M".split(",");
const CONNECT_TIMEOUTS = "9999999999,99999999999,-1,junk,0,1,1e3,0x10,1.5, ,NaN".split(",");
const CONTENT_TYPES =
  "application/grpc+xml,application/json,text/plain,application/proto;charset=x,,a/b/c,*/*".split(
    ",",
  );
/** So that streams, and calls that wait, come to their end. */
const PATIENCE_MS = 500;

/** Builds an input: a request that is right, but for the field and the place it is damaged in. */
export function hostileRequest(dice: Dice, aim: Aim): HostileRequest {
  const { protocol, target } = aim;
  const message = aimedMessage(dice, target, aim.known);
  const isEnveloped = protocol.startsWith("gRPC") || isStream(target.method);
  const inner = damagedMessage(dice, protocol, target.method, message);
  const { bytes, encoding } = compressed(dice, inner);
  const body = isEnveloped ? enveloped(dice, bytes, encoding !== undefined) : bytes;
  const path = `/${target.method.parent.typeName}/${target.method.name}`;
  const headers = headersOf(dice, aim, encoding);
  const shared = {
    headers,
    mayStayOpen: isStream(target.method),
    mayBeCut: "x-flood-1" in headers,
  };
  if (!isEnveloped && dice.chance(0.05)) {
    const query = queryOf(dice, protocol, bytes);
    return { ...shared, method: "GET", path: `${path}?${query}`, body: NOTHING, http2: true };
  }
  return { ...shared, method: "POST", path, body, http2: isHttp2(dice, aim) };
}

/** Requests that stream go both ways at once, which HTTP/1.1 cannot. */
function isHttp2(dice: Dice, { protocol, target }: Aim): boolean {
  if (protocol === "gRPC") return true;
  const isTwoWay = target.method.methodKind === "bidi_streaming";
  return dice.chance(isTwoWay ? 0.9 : protocol === "Connect binary" ? 0.7 : 0.3);
}

/** A query as Connect has it for calls by GET. */
function queryOf(dice: Dice, protocol: Protocol, bytes: Uint8Array): string {
  const encoding = protocol === "Connect JSON" ? "json" : "proto";
  const isBase64 = protocol === "Connect binary" || dice.chance(0.3);
  const text = Buffer.from(bytes.subarray(0, 4_000)).toString(isBase64 ? "base64url" : "latin1");
  const message = dice.chance(0.8) ? text : `${text.slice(1)}!%00${text}`;
  const query = new URLSearchParams({ connect: "v1", encoding, message });
  if (isBase64) query.set("base64", "1");
  if (dice.chance(0.1)) query.set("compression", dice.pick(["gzip", "br", "x"]));
  return query.toString();
}

function isStream({ methodKind }: DescMethod): boolean {
  return methodKind !== "unary";
}

function damagedMessage(
  dice: Dice,
  protocol: Protocol,
  { input }: DescMethod,
  message: Message,
): Uint8Array {
  if (protocol !== "Connect JSON") return damagedBytes(dice, toBinary(input, message));
  return damagedJson(dice, jsonOf(input, message));
}

/** Times out of range, and text that is none, have no JSON: the damage makes up for them. */
function jsonOf(input: DescMethod["input"], message: Message): string {
  try {
    return toJsonString(input, message, { alwaysEmitImplicit: true });
  } catch {
    return "{}";
  }
}

function compressed(dice: Dice, bytes: Uint8Array): { bytes: Uint8Array; encoding?: string } {
  if (dice.chance(0.85)) return { bytes };
  if (dice.chance(0.15)) {
    const [encoding, bomb] = dice.pick(BOMBS);
    return { bytes: bomb, encoding };
  }
  const encoding = dice.pick(ENCODINGS);
  const packed = dice.chance(0.6) ? gzipSync(bytes) : Buffer.from(bytes);
  return {
    bytes: dice.chance(0.3) ? packed.subarray(0, dice.below(packed.length)) : packed,
    encoding,
  };
}

/** An envelope, now and then with a flag or a length that is wrong, or with more behind it. */
function enveloped(dice: Dice, bytes: Uint8Array, isCompressed: boolean): Buffer {
  const whole = envelope(bytes, isCompressed ? 1 : 0);
  if (dice.chance(0.75)) return whole;
  const wrong = Buffer.from(whole);
  switch (dice.below(7)) {
    case 0:
      wrong.writeUInt8(dice.pick([1, 2, 3, 0x80, 0x81, 0xff, 0x40]), 0);
      return wrong;
    case 1:
      wrong.writeUInt32BE(dice.pick([0, 1, 65_536, 65_537, 2 ** 31, 2 ** 32 - 1]), 1);
      return wrong;
    case 2:
      return Buffer.concat([whole, dice.bytes(dice.below(12))]);
    case 3:
      return Buffer.concat([whole, whole]);
    case 4:
      return whole.subarray(0, dice.below(whole.length));
    case 5:
      return Buffer.concat(Array<Buffer>(2_000).fill(envelope()));
    default:
      return Buffer.concat([envelope(), envelope(Buffer.from("{}"), 2), whole]);
  }
}

function headersOf(dice: Dice, aim: Aim, encoding: string | undefined): Record<string, string> {
  const { protocol, target } = aim;
  const isGrpc = protocol.startsWith("gRPC");
  const isStreaming = isStream(target.method);
  const encodingName = isGrpc
    ? "grpc-encoding"
    : isStreaming
      ? "connect-content-encoding"
      : "content-encoding";
  return {
    "content-type": dice.chance(0.97)
      ? contentType(protocol, isStreaming)
      : dice.pick(CONTENT_TYPES),
    ...(protocol === "gRPC" && { te: "trailers" }),
    ...(encoding !== undefined && dice.chance(0.95) && { [encodingName]: encoding }),
    ...timeoutOf(dice, isGrpc, isStreaming),
    ...credentialOf(dice, aim.credentials),
    ...(dice.chance(0.03) && floodOf(dice)),
    ...(dice.chance(0.05) && { origin: dice.pick(["null", "https://evil.example", "x", "\xe9"]) }),
    ...(dice.chance(0.03) && {
      "x-forwarded-for": dice.pick(["::1", "x", "1.2.3.4, 5", "\xe9".repeat(90)]),
    }),
    ...(dice.chance(0.03) && {
      "x-request-id": dice.pick(["\t", "x".repeat(9_000), "\xe9", "a b"]),
    }),
    ...(dice.chance(0.03) && { "connect-protocol-version": dice.pick(["2", "", "junk"]) }),
  };
}

function contentType(protocol: Protocol, isStreaming: boolean): string {
  switch (protocol) {
    case "gRPC":
      return "application/grpc+proto";
    case "gRPC-Web":
      return "application/grpc-web+proto";
    case "Connect JSON":
      return isStreaming ? "application/connect+json" : "application/json";
    case "Connect binary":
      return isStreaming ? "application/connect+proto" : "application/proto";
  }
}

function timeoutOf(dice: Dice, isGrpc: boolean, isStreaming: boolean): Record<string, string> {
  const name = isGrpc ? "grpc-timeout" : "connect-timeout-ms";
  const right = { [name]: isGrpc ? `${PATIENCE_MS}m` : `${PATIENCE_MS}` };
  if (dice.chance(isStreaming ? 0.9 : 0.5)) return right;
  if (dice.chance(0.6)) return {};
  return { [name]: dice.pick(isGrpc ? GRPC_TIMEOUTS : CONNECT_TIMEOUTS) };
}

function credentialOf(dice: Dice, credentials: readonly string[]): Record<string, string> {
  const roll = dice.below(20);
  if (roll === 0) return {};
  const credential = dice.pick(credentials);
  if (roll > 3) return { authorization: `Bearer ${credential}` };
  const wrong = [
    "",
    "Bearer",
    "Bearer ",
    `bearer  ${credential}`,
    `Basic ${credential}`,
    `Bearer ${credential}, Bearer ${credential}`,
    `Bearer ${credential.slice(0, dice.below(credential.length))}`,
    `Bearer ${"A".repeat(6_000)}`,
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Bearer \xe9",
  ];
  return { authorization: dice.pick(wrong) };
}

function floodOf(dice: Dice): Record<string, string> {
  const count = dice.pick([60, 120, 400]);
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`x-flood-${n}`, "x".repeat(20)]),
  );
}
