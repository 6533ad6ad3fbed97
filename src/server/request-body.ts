import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { EdgeLimits } from "./edge-limits.ts";
import type { NodeRequest } from "./request-target.ts";

type Bounds = Pick<EdgeLimits, "callTimeoutMsMax" | "requestStreamIdleMsMax">;

/**
 * Reads the body of a call, in bounded time.
 *
 * A single message has to be there within the longest deadline; a stream of them may take any
 * time, but not fall silent. Unlike Node's own iterator it leaves the request open when the reader
 * stops early: destroying it would take the socket, and the answer, with it.
 *
 * @throws {ConnectError} DEADLINE_EXCEEDED if the client is too slow, CANCELED if it leaves before
 *   the end. Node ends the body of a reset HTTP/2 stream like a complete one; half a message must
 *   not pass for a whole one.
 */
export async function* readBody(
  request: NodeRequest,
  kind: DescMethod["methodKind"],
  bounds: Bounds,
): AsyncGenerator<Uint8Array> {
  const isStream = kind === "client_streaming" || kind === "bidi_streaming";
  const waitMs = isStream ? bounds.requestStreamIdleMsMax : bounds.callTimeoutMsMax;
  const patience = createPatience(waitMs);
  const chunks = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const result = await patience.wait(chunks.next() as Promise<IteratorResult<Uint8Array>>);
      if (result.done === true) break;
      if (isStream) patience.renew();
      yield result.value;
    }
  } finally {
    patience.end();
    chunks.return?.().catch(() => undefined);
  }
  if (wasCutOff(request)) throw cutOff();
}

/** Tells that a request did not arrive within its time. */
export function tooSlow(): ConnectError {
  return new ConnectError("the request did not arrive in time", Code.DeadlineExceeded);
}

/** Tells that a request ended before it was complete. */
export function cutOff(): ConnectError {
  return new ConnectError("the request was cut off", Code.Canceled);
}

/** The request does not know of a reset that came with its headers; its stream does. */
function wasCutOff(request: NodeRequest): boolean {
  return request.aborted || ("stream" in request && request.stream.aborted);
}

/** Waits for promises with one timer for all of them. */
function createPatience(waitMs: number) {
  let fail: ((reason: ConnectError) => void) | undefined;
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    fail?.(tooSlow());
  }, waitMs);
  return {
    wait<T>(work: Promise<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        fail = reject;
        work.then(resolve, reject);
        if (isOver) reject(tooSlow());
      });
    },
    renew: () => timer.refresh(),
    end: () => clearTimeout(timer),
  };
}
