/** What the fan-out row asks of a server of streams: Signet, or the yardstick. */
export type StreamOrder =
  | { readonly type: "write" }
  | { readonly type: "measure memory" }
  | { readonly type: "start"; readonly served: ServedStreams };

/** How a server is to be set up. */
export type ServedStreams =
  | { readonly contender: "signet" | "stock"; readonly dataDir: string }
  | { readonly contender: "bare"; readonly first: Uint8Array; readonly batch: Uint8Array };

/** What it answers to each. */
export interface StreamReply {
  /** To `start`: where to open streams. */
  readonly address?: StreamAddress;
  /** To `write`: since when the process has the batch, by `monotonicMs`. */
  readonly writtenMs?: number;
  readonly residentBytes?: number;
}

/** Where streams are opened, and as whom. */
export interface StreamAddress {
  readonly url: string;
  readonly authorization: string;
}

/** Changes in one batch. */
export const BATCH_CHANGES = 10;
