import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { createGrpcJsTransport } from "./grpc-js-transport.ts";

/** What the main job is played over, by name: five ways of connect-node, and grpc-js. */
export const WIRES: readonly (readonly [string, (baseUrl: string) => Transport])[] = [
  ["gRPC over h2c", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["Connect over h2c", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  [
    "Connect with JSON over HTTP/1.1",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  ["gRPC-Web over HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["grpc-js", (baseUrl) => createGrpcJsTransport(new URL(baseUrl).host)],
];
