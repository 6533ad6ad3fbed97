import type { ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { FrameSink } from "../rpc/frame-sink.ts";
import type { StreamProtocol } from "./fast-protocol.ts";

/** The answer of one call, straight onto its stream of HTTP/2. */
export interface FastAnswer extends FrameSink<Message> {
  /** Sets a header; without effect once the first bytes are out. */
  setHeader(name: string, value: string): void;
  /** Ends the answer in the words of its protocol; what is written afterwards is dropped. */
  end(error: ConnectError | undefined): void;
}

/** Begins nothing yet: headers go out with the first bytes, in the same packet. */
export function createFastAnswer(stream: ServerHttp2Stream, protocol: StreamProtocol): FastAnswer {
  const headers: Record<string, string> = { ...protocol.headers };
  let isBegun = false;
  let isEnded = false;
  /** The server ends a stream without asking whoever writes it, and so does the client. */
  const isOver = (): boolean => isEnded || stream.destroyed || stream.closed;

  function begin(): void {
    if (isBegun) return;
    isBegun = true;
    stream.respond(headers, { waitForTrailers: protocol.hasTrailers });
  }

  return {
    setHeader(name, value) {
      headers[name] = value;
    },
    write(frame) {
      if (isOver()) return false;
      begin();
      return stream.write(frame.framed());
    },
    drained() {
      return new Promise((resolve) => {
        if (!stream.writableNeedDrain && !isOver()) resolve();
        else stream.once("drain", () => resolve());
      });
    },
    end(error) {
      isEnded = true;
      begin();
      protocol.end(stream, error);
    },
  };
}
