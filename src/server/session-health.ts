import type { ServerHttp2Session } from "node:http2";
import type { EdgeLimits } from "./edge-limits.ts";

type Bounds = Pick<EdgeLimits, "pingIntervalMs" | "pingsMissedMax" | "sessionIdleMsMax">;

/**
 * Pings a session and destroys it once too many pings in a row stay unanswered; closes it once it
 * had no stream for too long. A stream of any kind keeps a session whose client is alive.
 *
 * A ping may take half an interval and is then repeated, so a client that is gone is found out
 * within two intervals.
 */
export function keepSessionHealthy(session: ServerHttp2Session, bounds: Bounds): void {
  let streams = 0;
  let idleSince = performance.now();
  let missed = 0;
  let turn = 0;

  function check(): void {
    turn += 1;
    if (missed >= bounds.pingsMissedMax) {
      session.destroy();
    } else if (streams === 0 && performance.now() - idleSince >= bounds.sessionIdleMsMax) {
      session.close();
    } else if (missed > 0 || turn % 2 === 0) {
      ping();
    }
  }

  function ping(): void {
    if (!session.destroyed) {
      missed += 1;
      session.ping((error) => {
        if (error === null) missed = 0;
      });
    }
  }

  const timer = setInterval(check, bounds.pingIntervalMs / 2).unref();
  session.once("close", () => clearInterval(timer));
  const onClosed = (): void => {
    streams -= 1;
    idleSince = performance.now();
  };
  session.on("stream", (stream) => {
    streams += 1;
    stream.on("close", onClosed);
  });
}
