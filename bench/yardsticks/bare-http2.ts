import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { answerParent } from "../child-process.ts";
import { FRAME_HEADER_BYTES, frame } from "../grpc-frame.ts";
import {
  type AnswerTemplate,
  createAnswerMaker,
  encodeAnswer,
  type ListeningAt,
  readRequest,
} from "./validate-answer.ts";

answerParent(listen);

/** Serves ValidateToken on the core API of HTTP/2, with nothing around it. */
async function listen(template: AnswerTemplate): Promise<ListeningAt> {
  const makeAnswer = createAnswerMaker(template);
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => stream.close());
    readAll(stream, (body) => {
      readRequest(body.subarray(FRAME_HEADER_BYTES));
      respond(stream, frame(encodeAnswer(makeAnswer())));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return { url: `http://127.0.0.1:${port}` };
}

function readAll(stream: ServerHttp2Stream, onEnd: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () =>
    onEnd(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)),
  );
}

function respond(stream: ServerHttp2Stream, body: Buffer): void {
  const headers = { ":status": 200, "content-type": "application/grpc+proto" };
  stream.respond(headers, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(body);
}
