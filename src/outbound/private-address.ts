import { BlockList, isIPv4, isIPv6 } from "node:net";

/**
 * What is not the public Internet (IANA special-purpose address registries): nobody outside may
 * have Signet call there. IPv6 addresses that carry an IPv4 address are refused whatever they
 * carry; of IPv6, only what is given out at all (2000::/3) is left.
 */
const PRIVATE_IPV4: readonly (readonly [address: string, bits: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16], // Metadata of clouds, too.
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3], // Multicast, reserved, broadcast.
];
const PRIVATE_IPV6: readonly (readonly [address: string, bits: number])[] = [
  ["2001::", 23], // Teredo and other protocols.
  ["2001:db8::", 32],
  ["2002::", 16], // 6to4.
  ["3fff::", 20],
];

const privateRanges = new BlockList();
for (const [address, bits] of PRIVATE_IPV4) privateRanges.addSubnet(address, bits, "ipv4");
for (const [address, bits] of PRIVATE_IPV6) privateRanges.addSubnet(address, bits, "ipv6");
const global = new BlockList();
global.addSubnet("2000::", 3, "ipv6");

/** Tells whether an address is one of the public Internet; what is no address is not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !privateRanges.check(address, "ipv4");
  if (!isIPv6(address) || address.includes("%")) return false;
  return global.check(address, "ipv6") && !privateRanges.check(address, "ipv6");
}
