import type { Worker } from "node:cluster";

interface Handing {
  readonly seq: unknown;
  readonly connection: { close(): void };
}

/**
 * Closes the connection that was on its way to a worker when that died.
 *
 * Node hands a worker one connection at a time and waits for its word; if none ever comes, it keeps
 * its own end open, so that the client would wait until its deadline (round_robin_handle.js of
 * Node 26). What passes between the two is no public interface: should it change, nothing is
 * closed here, and no more than that.
 */
export function closeHandedConnection({ process: child }: Pick<Worker, "process">): void {
  let handing: Handing | undefined;
  const send = child.send.bind(child) as (...values: unknown[]) => boolean;
  const sendNoting = (...values: unknown[]): boolean => {
    handing = handingOf(values) ?? handing;
    return send(...values);
  };
  Object.assign(child, { send: sendNoting });
  child.on("internalMessage", (answer: { readonly ack?: unknown } | undefined) => {
    if (handing && answer?.ack === handing.seq) handing = undefined;
  });
  child.once("exit", () => handing?.connection.close());
}

function handingOf([message, connection]: readonly unknown[]): Handing | undefined {
  const { act, seq } = (message ?? {}) as { readonly act?: unknown; readonly seq?: unknown };
  const isConnection = act === "newconn" && connection instanceof Object && "close" in connection;
  return isConnection ? { seq, connection: connection as Handing["connection"] } : undefined;
}
