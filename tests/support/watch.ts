import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  WatchUsersRequestSchema,
  WatchUsersResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { Clients } from "./builders.ts";

type Frame = WatchUsersResponse["frame"];
type FrameOf<Case> = Extract<Frame, { readonly case: Case }>["value"];

/** A stream of WatchUsers that a test reads frame by frame. */
export interface TestWatch extends AsyncDisposable {
  /** Returns the next frame of a kind; checkpoints before it are passed over. */
  next<Case extends Exclude<Frame["case"], undefined>>(wanted: Case): Promise<FrameOf<Case>>;
}

const WAIT_MS_MAX = 15_000;

/** Opens a stream; it is left when the test disposes of it, or after `msMax`. */
export function openWatch(
  { sync }: Pick<Clients, "sync">,
  request: MessageInitShape<typeof WatchUsersRequestSchema> = {},
  msMax = WAIT_MS_MAX,
): TestWatch {
  const leaving = new AbortController();
  const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(msMax)]);
  const frames = sync.watchUsers(request, { signal })[Symbol.asyncIterator]();

  async function nextFrame(): Promise<Frame> {
    const { done, value } = await frames.next();
    if (done) throw new Error("the stream has ended");
    return value.frame;
  }

  return {
    async next(wanted) {
      for (;;) {
        const frame = await nextFrame();
        if (frame.case === wanted) return frame.value as FrameOf<typeof wanted>;
        if (frame.case === "checkpoint") continue;
        throw new Error(`expected ${wanted}, and got ${frame.case}`);
      }
    },
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await frames.next().catch(() => undefined); // It rejects: the stream was left.
    },
  };
}
