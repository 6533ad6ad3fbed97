import { describe, expect, test } from "vitest";
import { addressGroup, normalAddress } from "../../../src/model/network-address.ts";
import { createAddressResolver } from "../../../src/server/address.ts";

describe("the client's address", () => {
  const { clientAddress } = createAddressResolver(["10.0.0.0/8", "2001:db8::1"]);
  const forwarded = (...hops: readonly string[]) => ({ "x-forwarded-for": hops.join(", ") });

  test.each([
    [
      "that of the socket, whatever an untrusted client says",
      "192.0.2.1",
      ["1.1.1.1"],
      "192.0.2.1",
    ],
    ["that of the socket without a header", "10.1.1.1", [], "10.1.1.1"],
    ["what the trusted proxy saw", "10.1.1.1", ["192.0.2.7"], "192.0.2.7"],
    ["not what the client made up", "10.1.1.1", ["1.1.1.1", "192.0.2.7"], "192.0.2.7"],
    ["found behind several proxies", "10.1.1.1", ["192.0.2.7", "10.2.2.2"], "192.0.2.7"],
    ["that of the last proxy before nonsense", "10.1.1.1", ["nonsense", "10.2.2.2"], "10.2.2.2"],
    ["without a port", "10.1.1.1", ["192.0.2.7:5000"], "192.0.2.7"],
    ["IPv6 without brackets and port", "10.1.1.1", ["[2001:DB8::9]:5000"], "2001:db8::9"],
    ["behind an IPv6 proxy", "2001:db8::1", ["192.0.2.7"], "192.0.2.7"],
    ["behind a proxy in its mapped form", "::ffff:10.1.1.1", ["192.0.2.7"], "192.0.2.7"],
  ])("is %s", (_rule, socketAddress, hops, address) => {
    expect(clientAddress(socketAddress, forwarded(...hops))).toBe(address);
  });

  test("is empty for a socket that is gone", () => {
    expect(clientAddress(undefined, {})).toBe("");
  });

  test.each(["10.0.0.0/33", "10.0.0.0/", "proxy", "10.0.0.0/-1", ""])(
    "is not resolved with a malformed proxy: %j",
    (block) => {
      expect(() => createAddressResolver([block])).toThrow(TypeError);
    },
  );
});

test.each([
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["FE80::1%eth0", "fe80::1"],
  ["192.0.2.1", "192.0.2.1"],
])("normalAddress writes %s as %s", (address, normal) => {
  expect(normalAddress(address)).toBe(normal);
});

test("normalAddress does not spend long on what a backend passes on for an address", () => {
  // A pattern that looks for the end from each sign takes minutes.
  expect(normalAddress(`1${"%".repeat(200_000)}\n`)).toBe("1");
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["2001:0db8:0001::", "2001:db8:1:0::/64"],
])("addressGroup of %s is %s", (address, group) => {
  expect(addressGroup(address)).toBe(group);
});
