import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Revocation } from "../../gen/signet/v1/change_pb.ts";
import type {
  WatchRevocationsRequestSchema,
  WatchRevocationsResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { Clients } from "./builders.ts";

type Frame = WatchRevocationsResponse["frame"];
type FrameOf<Case> = Extract<Frame, { readonly case: Case }>["value"];

/** A stream of WatchRevocations that a test reads frame by frame. */
export interface TestRevocationWatch extends AsyncDisposable {
  /** Returns the next frame of a kind; heartbeats before it are passed over. */
  next<Case extends Exclude<Frame["case"], undefined>>(wanted: Case): Promise<FrameOf<Case>>;
  /** Returns the next frame of any kind. */
  nextFrame(): Promise<Frame>;
  /** Returns the set: the hello is read, and every batch up to the first heartbeat. */
  set(): Promise<RevocationsUpTo>;
}

/** What a stream brought before a heartbeat. */
export interface RevocationsUpTo {
  readonly revocations: readonly Revocation[];
  readonly cursor: string;
}

const WAIT_MS_MAX = 15_000;

/** Opens a stream; it is left when the test disposes of it, or after 15 s. */
export function openRevocationWatch(
  { sync }: Pick<Clients, "sync">,
  request: MessageInitShape<typeof WatchRevocationsRequestSchema> = {},
): TestRevocationWatch {
  const leaving = new AbortController();
  const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(WAIT_MS_MAX)]);
  const frames = sync.watchRevocations(request, { signal })[Symbol.asyncIterator]();

  async function nextFrame(): Promise<Frame> {
    const { done, value } = await frames.next();
    if (done) throw new Error("the stream has ended");
    return value.frame;
  }

  return {
    nextFrame,
    async next(wanted) {
      for (;;) {
        const frame = await nextFrame();
        if (frame.case === wanted) return frame.value as FrameOf<typeof wanted>;
        if (frame.case !== "heartbeat") throw new Error(`wanted ${wanted}, got ${frame.case}`);
      }
    },
    async set() {
      const revocations: Revocation[] = [];
      for (;;) {
        const frame = await nextFrame();
        if (frame.case === "revocationBatch") revocations.push(...frame.value.revocations);
        if (frame.case === "heartbeat") return { revocations, cursor: frame.value.cursor };
      }
    },
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await frames.next().catch(() => undefined); // It rejects: the stream was left.
    },
  };
}
