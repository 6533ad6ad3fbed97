import type { Transport } from "@connectrpc/connect";

/**
 * Gives each unary call that names no deadline this one. A call without any waits for good where a
 * connection has fallen silent, since nothing but its deadline ends it there.
 */
export function withDeadline({ unary, stream }: Transport, timeoutMs: number): Transport {
  return {
    unary: (method, signal, ownMs, header, input, contextValues) =>
      unary(method, signal, ownMs ?? timeoutMs, header, input, contextValues),
    stream,
  };
}
