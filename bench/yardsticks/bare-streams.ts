import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { answerParent } from "../child-process.ts";
import { monotonicMs } from "../monotonic-clock.ts";
import { residentBytes } from "../resident-bytes.ts";
import type { ServedStreams, StreamOrder, StreamReply } from "../stream-server.ts";

const streams = new Set<ServerHttp2Stream>();
let batch: Uint8Array = new Uint8Array();

answerParent(obey);

/** Writes the same bytes to all streams on the core API of HTTP/2, with nothing around it. */
async function obey(order: StreamOrder): Promise<StreamReply> {
  if (order.type === "start") return await start(order.served);
  if (order.type === "measure memory") return { residentBytes: await residentBytes() };
  const writtenMs = monotonicMs();
  for (const stream of streams) stream.write(batch);
  return { writtenMs };
}

async function start(served: ServedStreams): Promise<StreamReply> {
  if (served.contender !== "bare") throw new TypeError("this is the yardstick");
  batch = Buffer.from(served.batch);
  const first = Buffer.from(served.first);
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => stream.close());
    stream.resume();
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
    stream.write(first);
    streams.add(stream);
    stream.once("close", () => streams.delete(stream));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return { address: { url: `http://127.0.0.1:${port}`, authorization: "none" } };
}
