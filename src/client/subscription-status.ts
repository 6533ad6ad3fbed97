/** What a subscription is doing. */
export type SubscriptionStatus =
  /** It opens a connection. */
  | { readonly type: "connecting" }
  /** It receives the snapshot: so many Users of about so many in all, since this connection. */
  | { readonly type: "snapshot"; readonly received: number; readonly total: number }
  /** It has received everything there is. */
  | { readonly type: "live" }
  /** It catches up with so many Changes; undefined: not known yet. */
  | { readonly type: "lagging"; readonly behind: bigint | undefined }
  /** It has lost the connection and waits before the next attempt. */
  | {
      readonly type: "reconnecting";
      /** Failures in a row, from 1 on; 0: the server has ended the stream in good order. */
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: unknown;
    }
  /** It has ended, by itself if there is an error. Always the last. */
  | { readonly type: "closed"; readonly error: unknown };

/** Passes statuses on to whoever reads them: those of a subscription, and `More`. */
export interface StatusFeed<More extends OtherStatus = never> {
  publish(status: SubscriptionStatus | More): void;
  /** Publishes `closed`, once: what is published later is dropped. */
  close(error: unknown): void;
  /** Begins with the present status, and ends after `closed`. */
  read(): AsyncGenerator<SubscriptionStatus | More, void, undefined>;
}

interface OtherStatus {
  readonly type: string;
}

/** A reader that falls behind misses the oldest, so that nobody needs to read statuses. */
const UNREAD_MAX = 32;

/** Makes a feed without a status. */
export function createStatusFeed<More extends OtherStatus = never>(): StatusFeed<More> {
  let present: SubscriptionStatus | More | undefined;
  const readers = new Set<Reader<SubscriptionStatus | More>>();

  function publish(status: SubscriptionStatus | More): void {
    const repeats = status.type === "live" && present?.type === "live";
    if (repeats || present?.type === "closed") return;
    present = status;
    for (const reader of readers) reader.add(status);
  }

  return {
    publish,
    close: (error) => publish({ type: "closed", error }),
    async *read() {
      const reader = createReader(present);
      readers.add(reader);
      try {
        for (;;) {
          const status = await reader.next();
          yield status;
          if (status.type === "closed") return;
        }
      } finally {
        readers.delete(reader);
      }
    },
  };
}

interface Reader<Status extends OtherStatus> {
  add(status: Status): void;
  next(): Promise<Status>;
}

function createReader<Status extends OtherStatus>(first: Status | undefined): Reader<Status> {
  const unread = first === undefined ? [] : [first];
  let wake = () => {};
  return {
    add(status) {
      unread.push(status);
      if (unread.length > UNREAD_MAX) unread.shift();
      wake();
    },
    async next() {
      for (;;) {
        const status = unread.shift();
        if (status) return status;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
