import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP, isIPv4 } from "node:net";

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

/** Writes an address in one way: IPv4 never mapped into IPv6, no zone, lower case. */
export function normalAddress(address: string): string {
  const plain = address.replace(/%.*$/, "").toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  return mapped ?? plain;
}

/** Returns what one client commands: its IPv4 address, or its whole IPv6 /64. */
export function addressGroup(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill("0");
  const groups = [...left, ...middle, ...right].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
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
