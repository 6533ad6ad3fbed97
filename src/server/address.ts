import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP, isIPv4 } from "node:net";
import { normalAddress } from "../model/network-address.ts";

/** Tells which client stands behind a socket. */
export interface AddressResolver {
  /**
   * Returns the address of the client: that of the socket, or, where the socket is a trusted
   * proxy, the right-most address of `x-forwarded-for` that is not one.
   */
  clientAddress(socketAddress: string | undefined, headers: IncomingHttpHeaders): string;
  /** Tells whether an address belongs to a trusted proxy. */
  isTrustedProxy(address: string): boolean;
}

/**
 * Makes a resolver that believes the forwarded headers of the given proxies and of nobody else.
 *
 * @throws {TypeError} naming the entry that is neither an address nor a CIDR block.
 */
export function createAddressResolver(trustedProxies: readonly string[]): AddressResolver {
  const trusted = new BlockList();
  for (const block of trustedProxies) addBlock(trusted, block);

  const isTrustedProxy = (address: string): boolean =>
    trustedProxies.length > 0 && isIP(address) !== 0 && trusted.check(address, family(address));

  return {
    isTrustedProxy,
    clientAddress(socketAddress, headers) {
      let client = normalAddress(socketAddress ?? "");
      if (!isTrustedProxy(client)) return client;
      for (const hop of forwardedFor(headers).reverse()) {
        const address = normalAddress(withoutPort(hop.trim()));
        if (isIP(address) === 0) return client;
        client = address;
        if (!isTrustedProxy(client)) return client;
      }
      return client;
    },
  };
}

function addBlock(list: BlockList, block: string): void {
  const [address = "", bits] = block.trim().split("/");
  const longest = isIPv4(address) ? 32 : 128;
  const prefix = bits === undefined ? longest : Number(bits);
  const isBlock = isIP(address) !== 0 && Number.isInteger(prefix) && prefix <= longest;
  if (!isBlock || prefix < 0 || bits === "") {
    throw new TypeError(`not an IP address or CIDR block: ${block}`);
  }
  list.addSubnet(address, prefix, family(address));
}

function family(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}

function forwardedFor(headers: IncomingHttpHeaders): string[] {
  const value = headers["x-forwarded-for"];
  const text = Array.isArray(value) ? value.join(",") : (value ?? "");
  return text === "" ? [] : text.split(",");
}

/** Some proxies add the port: `192.0.2.1:5000`, `[2001:db8::1]:5000`. */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
