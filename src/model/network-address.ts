import { isIP } from "node:net";

/** Writes an address in one way: IPv4 never mapped into IPv6, no zone, lower case. */
export function normalAddress(address: string): string {
  // Not by a pattern: a backend passes texts on, and `/%.*$/` takes quadratic time on hostile ones.
  const [plain = ""] = address.toLowerCase().split("%", 1);
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
