import type { Weakening } from "./weakening.ts";

const MESSAGES = "e2e/hostile-messages.test.ts";
const EDGE = "e2e/hostile-edge.test.ts";
const LIMITS = "e2e/edge-limits.test.ts";
const EDGE_MESSAGES = "e2e/edge-messages.test.ts";

/** Builds that trust what a stranger sends. */
export const inputWeakenings: readonly Weakening[] = [
  {
    name: "bytes that are no message are told as a fault of the server",
    edits: [
      {
        file: "src/server/unreadable-message.ts",
        text: "if (UNREADABLE.test(error.rawMessage)) ",
        replacement: "if (error.rawMessage === '') ",
      },
    ],
    noticedBy: { test: MESSAGES, named: "over gRPC[^-]" },
    says: /the code is Internal/,
  },
  {
    name: "a name in a path is decoded unguarded",
    edits: [
      {
        file: "src/server/http-endpoints.ts",
        text: "const value = decode(part);",
        replacement: "const value = decodeURIComponent(part);",
      },
    ],
    noticedBy: { test: EDGE_MESSAGES, named: "bad percent-encoding" },
    says: /expected '' to match .+404/,
  },
  {
    name: "a URL is read unguarded",
    edits: [
      {
        file: "src/model/url.ts",
        text: "null : URL.parse(text)",
        replacement: "null : new URL(text)",
      },
    ],
    noticedBy: { test: MESSAGES, named: "over Connect binary" },
    says: /the code is Internal/,
  },
  {
    name: "an id in a path is refused as a fault of the server",
    edits: [
      {
        file: "src/server/well-known.ts",
        text: "if (!(error instanceof Failure)) throw error;",
        replacement: "if (!(error instanceof TypeError)) throw error;",
      },
    ],
    noticedBy: { test: EDGE, named: "hostile inputs to endpoints" },
    says: /HTTP 500/,
  },
  {
    name: "a HEAD is not answered to its end",
    edits: [
      {
        file: "src/server/http-endpoints.ts",
        text: 'if (request.method === "HEAD" || body.length === 0) response.end();',
        replacement: 'if (request.method === "HEAD") return;',
      },
    ],
    noticedBy: { test: EDGE, named: "hostile inputs to endpoints" },
    says: /no answer came/,
  },
  {
    name: "a socket that is reset before its first bytes ends the process",
    edits: [
      {
        file: "src/server/listener.ts",
        text: 'socket.on("error", () => socket.destroy());\n    if (!admit',
        replacement: "if (!admit",
      },
    ],
    noticedBy: { test: EDGE, named: "hostile inputs to HTTP/2" },
    says: /the service has ended/,
  },
  {
    name: "a stream that is reset ends the process",
    edits: [
      {
        file: "src/server/fast-calls.ts",
        text: 'stream.on("error", ignore);',
        replacement: "",
      },
    ],
    noticedBy: { test: EDGE, named: "hostile inputs to HTTP/2" },
    says: /the service has ended/,
  },
  {
    name: "every request that came is kept",
    edits: [
      {
        file: "src/server/fast-request.ts",
        text: "resolve({ bytes: joined(chunks), failure });",
        replacement: "resolve({ bytes: joined(chunks), failure }); kept.push(...chunks);",
      },
      {
        file: "src/server/fast-request.ts",
        text: "const CHUNKS_MAX = 256;",
        replacement: "const CHUNKS_MAX = 256; const kept: Buffer[] = [];",
      },
      // A quarter of the long form is enough for it to tell.
      {
        file: "tests/support/hostile-long.ts",
        text: "process.env.HOSTILE_INPUTS ?? 100_000",
        replacement: "process.env.HOSTILE_INPUTS ?? 25_000",
      },
    ],
    noticedBy: { test: "faults/hostile-messages.test.ts", named: "gRPC is" },
    says: /expected \d+ to be less than 100/,
  },
  {
    name: "the size of a message has no limit",
    edits: [
      {
        file: "src/server/rpc-handler.ts",
        text: "readMaxBytes: limits.messageBytesMax,",
        replacement: "",
      },
    ],
    noticedBy: { test: EDGE_MESSAGES, named: "a message that is too large" },
    says: /expected 400 to be 429/,
  },
  {
    name: "what a message unpacks to has no limit",
    edits: [
      {
        file: "src/server/message-compression.ts",
        text: "{ maxOutputLength: messageBytesMax }",
        replacement: "{}",
      },
    ],
    noticedBy: { test: EDGE_MESSAGES, named: "grows by decompression" },
    says: /not to contain .40000000/,
  },
  {
    name: "a call may take as long as its client asks for",
    edits: [
      {
        file: "src/server/rpc-handler.ts",
        text: "boundDeadline(header, kind, limits);",
        replacement: "",
      },
    ],
    noticedBy: { test: EDGE_MESSAGES, named: "whose handler does not end" },
    says: /handler does not end[^\0]+timed out in 30000ms/,
  },
  {
    name: "a host that is none becomes part of a URL",
    edits: [
      {
        file: "src/server/request-target.ts",
        text: "if (authority === undefined || !AUTHORITY.test(authority)) return undefined;",
        replacement: "",
      },
      {
        file: "src/server/request-target.ts",
        text: "const url = URL.parse(",
        replacement: "const url = new URL(",
      },
    ],
    noticedBy: { test: EDGE_MESSAGES, named: "an open bracket as host" },
    says: /expected '' to match .+400/,
  },
  {
    name: "headers of HTTP/2 may be as large as a client likes",
    edits: [
      {
        file: "src/server/request-handler.ts",
        text: "headerBytes(request.rawHeaders) > limits.headerBytesMax",
        replacement: "false",
      },
    ],
    noticedBy: { test: LIMITS, named: "of headers is refused" },
    says: /to contain 'headers_too_large'/,
  },
  {
    name: "a client may reset streams as fast as it likes",
    edits: [
      {
        file: "src/server/edge-limits.ts",
        text: "streamResetBurstMax: 1_000,",
        replacement: "streamResetBurstMax: 1_000_000,",
      },
    ],
    noticedBy: { test: LIMITS, named: "rapid resets" },
    says: /10,000 rapid resets[^\0]+expected false to be true/,
  },
  {
    name: "a connection may have any number of streams",
    edits: [
      {
        file: "src/server/http2-server.ts",
        text: "maxConcurrentStreams: limits.streamsPerConnectionMax,",
        replacement: "",
      },
    ],
    noticedBy: { test: LIMITS, named: "half-open streams" },
    says: /expected [\d.]+ to be less than 100/,
  },
  {
    name: "a socket may stay silent for ever",
    edits: [
      {
        file: "src/server/protocol-sniffer.ts",
        text: "const timer = setTimeout(giveUp, msMax);",
        replacement: "const timer = setTimeout(giveUp, 2 ** 31 - 1);",
      },
    ],
    noticedBy: { test: LIMITS, named: "sends nothing" },
    says: /cut off when it sends nothing[^\0]+expected false to be true/,
  },
  {
    name: "a connection is kept whose client answers no ping",
    edits: [
      {
        file: "src/server/session-health.ts",
        text: "session.destroy();",
        replacement: "missed = 0;",
      },
    ],
    noticedBy: { test: LIMITS, named: "it never reads" },
    says: /when it never reads[^\0]+expected false to be true/,
  },
  {
    name: "the place of a connection is not given back",
    edits: [
      {
        file: "src/server/listener.ts",
        text: 'socket.once("close", giveBack);',
        replacement: "",
      },
    ],
    noticedBy: { test: LIMITS, named: "has room again" },
    says: /has room again[^\0]+(?:expected true to be false|ECONNRESET)/,
  },
  {
    name: "calls of one server have no limit",
    edits: [
      {
        file: "src/server/open-calls.ts",
        text: "if (giveBackCall === undefined) throw overloaded;",
        replacement: "if (giveBackCall === undefined) return () => undefined;",
      },
    ],
    noticedBy: { test: LIMITS, named: "with RESOURCE_EXHAUSTED" },
    says: /the call did not fail/,
  },
  {
    name: "an unexpected error tells its client what it was",
    edits: [
      {
        file: "src/rpc/errors.ts",
        text: 'errorWithDetail("internal error", ',
        replacement: "errorWithDetail(String(error), ",
      },
    ],
    noticedBy: { test: "e2e/errors.test.ts", named: "a bug" },
    says: /expected '.*relation "signet.users" does/,
  },
];
