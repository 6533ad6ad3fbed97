import type { WatchUsersResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import type { FrameSink, SharedFrame } from "../../src/rpc/frame-sink.ts";
import { until } from "./waiting.ts";

type Frame = WatchUsersResponse["frame"];
type FrameCase = NonNullable<Frame["case"]>;
type FrameValue<Case> = Extract<Frame, { readonly case: Case }>["value"];

/** A sink that keeps what is written, and takes more only as long as a test wants it to. */
export interface TestSink extends FrameSink {
  readonly frames: readonly SharedFrame[];
  /** From the next frame on it takes no more. */
  block(): void;
  /** Takes more, as a client does that reads again. */
  unblock(): void;
  /** Returns what was written of a kind. */
  all<Case extends FrameCase>(wanted: Case): FrameValue<Case>[];
  /** Waits until so many frames of a kind have been written, and returns the last of them. */
  has<Case extends FrameCase>(wanted: Case, count?: number): Promise<FrameValue<Case>>;
}

/** Creates a sink; it takes everything until it is blocked. */
export function createTestSink(): TestSink {
  const frames: SharedFrame[] = [];
  let isBlocked = false;
  let resume = Promise.withResolvers<void>();

  function all<Case extends FrameCase>(wanted: Case): FrameValue<Case>[] {
    return frames
      .map(({ message }) => message.frame)
      .filter((frame) => frame.case === wanted)
      .map((frame) => frame.value as FrameValue<Case>);
  }

  return {
    frames,
    write(frame) {
      frames.push(frame);
      return !isBlocked;
    },
    drained: () => (isBlocked ? resume.promise : Promise.resolve()),
    block() {
      isBlocked = true;
      resume = Promise.withResolvers();
    },
    unblock() {
      isBlocked = false;
      resume.resolve();
    },
    all,
    async has(wanted, count = 1) {
      await until(() => all(wanted).length >= count);
      return all(wanted)[count - 1] as FrameValue<typeof wanted>;
    },
  };
}
