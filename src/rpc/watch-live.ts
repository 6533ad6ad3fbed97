import { send, sendCheckpoint, type UserStream } from "./user-stream.ts";

/**
 * Sends each change as it comes, from the ring, until the stream ends or has fallen out of the
 * ring. It is driven by the reader and by the sink alone: nothing is queued for a stream that is
 * blocked, it only stays where it is.
 */
export async function goLive(stream: UserStream): Promise<void> {
  stream.phase = "live";
  await new Promise<void>((resolve) => {
    const advance = (): void => {
      if (push(stream)) return;
      stop();
      stream.wake = () => undefined;
      resolve();
    };
    const stop = stream.group.follow(advance);
    stream.wake = advance;
    stream.checkpointMs = performance.now(); // Says at once that the stream has caught up.
    advance();
    if (stream.blockedMs === undefined && !stream.ending)
      sendCheckpoint(stream, stream.checkpointMs);
  });
}

/** Sends what the ring has; false if the stream is not to stay here. */
function push(stream: UserStream): boolean {
  const { group } = stream;
  try {
    while (!stream.ending && stream.blockedMs === undefined) {
      const batch = group.next(stream.position);
      if (batch === undefined) return true;
      if (batch === "gone") return false;
      stream.position = batch.position;
      stream.sums = batch.sums;
      if (batch.frame) send(stream, batch.frame);
    }
  } catch (error) {
    stream.ending ??= { error }; // It must not take the reader, and the other streams, with it.
  }
  return stream.ending === undefined;
}
