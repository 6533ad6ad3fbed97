import { Http2SessionManager } from "@connectrpc/connect-node";

/** What a transport of connect-node needs of a connection. */
export type Sessions = Pick<
  Http2SessionManager,
  "authority" | "request" | "notifyResponseByteRead"
>;

/** The HTTP/2 connection to Signet, opened when a call needs it. */
export interface Connection {
  readonly sessions: Sessions;
  /** Leaves the connection if nothing was received since `sinceMs`: the next call opens another. */
  leaveIfSilentSince(sinceMs: number): void;
  /** Ends the connection and every call on it. */
  close(): void;
}

/** Balancers drop quiet connections after a minute, often without a word. */
const OPTIONS = { idleConnectionTimeoutMs: 50_000 };

/**
 * What may be on its way before it was read. The 64 KiB that HTTP/2 begins with are less than a
 * page of a snapshot, and would let a stream have no more than that in each round trip.
 */
const WINDOW_BYTES = 2 ** 20;
const SESSION_OPTIONS = { settings: { initialWindowSize: WINDOW_BYTES } };

/**
 * Makes a connection that replaces a dead one.
 *
 * A host that vanishes closes nothing, and without pings (which crash the process in this
 * version of connect-node, connect-es #1795) every call would time out until the kernel gives
 * up, a quarter of an hour later. Calls on a connection that was left still have until their
 * own deadlines, in case it is only slow.
 */
export function createConnection(url: string): Connection {
  let current = new Http2SessionManager(url, OPTIONS, SESSION_OPTIONS);
  let left: readonly Http2SessionManager[] = [];
  let heardMs = 0;
  const hear = () => {
    heardMs = performance.now();
  };
  return {
    sessions: {
      authority: current.authority,
      async request(...request) {
        const stream = await current.request(...request);
        stream.session?.off("error", ignoreLateError).on("error", ignoreLateError);
        stream.session?.setLocalWindowSize(WINDOW_BYTES); // Of the connection as a whole.
        return stream.once("response", hear);
      },
      notifyResponseByteRead(stream) {
        hear();
        for (const manager of [current, ...left]) manager.notifyResponseByteRead(stream);
      },
    },
    leaveIfSilentSince(sinceMs) {
      if (heardMs > sinceMs) return;
      left = [...left, current].filter(isOpen);
      current = new Http2SessionManager(url, OPTIONS, SESSION_OPTIONS);
      hear(); // Other calls that time out now were on the old one, too.
    },
    close() {
      for (const manager of [current, ...left]) manager.abort();
    },
  };
}

/**
 * A session that is closed may still report how its connection has ended, when its manager has
 * stopped to listen; and an error that nobody hears ends the process.
 */
function ignoreLateError(): void {}

function isOpen(manager: Http2SessionManager): boolean {
  return manager.state() !== "closed" && manager.state() !== "error";
}
