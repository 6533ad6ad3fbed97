import type { DescMessage, DescMethod, Message, MessageShape } from "@bufbuild/protobuf";
import type { Caller } from "../model/caller.ts";
import type { FrameSink } from "./frame-sink.ts";

/** Who opens a stream, and when it has to end. */
export interface FrameStreamCall {
  readonly caller: Caller;
  readonly clientAddress: string;
  /** Aborted when the client has left, the deadline has passed or the server drains. */
  readonly signal: AbortSignal;
}

/** A server-streaming RPC that writes encoded frames, which many streams share. */
export interface FrameStream<Request extends DescMessage = DescMessage> {
  readonly method: DescMethod & { readonly input: Request };
  /** Serves one call; resolves where the stream ends well. */
  serve(
    request: MessageShape<Request>,
    call: FrameStreamCall,
    sink: FrameSink<Message>,
  ): Promise<void>;
}
