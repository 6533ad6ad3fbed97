import { type ContextValues, createContextKey } from "@connectrpc/connect";

/** Where the server leaves the address of the client; empty where no socket is involved. */
export const clientAddressKey = createContextKey("", {
  description: "IP address of the client, IPv4 never in its IPv6-mapped form",
});

/** Returns the IP address of the client of a call, or "" in a call without a socket. */
export function clientAddressOf(values: ContextValues): string {
  return values.get(clientAddressKey);
}
