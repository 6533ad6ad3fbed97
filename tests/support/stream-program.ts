import { createGrpcTransport } from "@connectrpc/connect-node";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { clientsOf } from "./builders.ts";
import { openWatch } from "./watch.ts";

/** A program: opens some streams of one client id, says `open`, and reads for as long as it can. */

const STREAM_MS_MAX = 120_000;
const [url = "", key = "", clientId = "", count = "1"] = process.argv.slice(2);
const { sync } = clientsOf(createGrpcTransport({ baseUrl: url }), key);
const streams = Array.from({ length: Number(count) }, () =>
  openWatch({ sync }, { clientId, start: WatchStart.HEAD, heartbeatSeconds: 1 }, STREAM_MS_MAX),
);
await Promise.all(streams.map((stream) => stream.next("hello")));
process.stdout.write("open\n");
await Promise.all(streams.map((stream) => stream.next("goodbye")));
