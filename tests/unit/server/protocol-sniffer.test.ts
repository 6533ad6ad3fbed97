import { expect, test } from "vitest";
import { protocolOf } from "../../../src/server/protocol-sniffer.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

test.each([
  ["", undefined],
  ["P", undefined],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r", undefined],
  [PREFACE, "http/2"],
  [`${PREFACE}more`, "http/2"],
  ["PO", "http/1.1"],
  ["GET / HTTP/1.1\r\n", "http/1.1"],
  ["PRI * HTTP/2.0\r\n\r\nXX", "http/1.1"],
])("%j starts %s", (bytes, protocol) => {
  expect(protocolOf(Buffer.from(bytes))).toBe(protocol);
});
