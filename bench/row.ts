import type { BenchService } from "./bench-service.ts";

/** What a row may use, and how much it may take. */
export interface Bench {
  readonly service: BenchService;
  /** That of the bench: to start another service. */
  readonly environment: NodeJS.ProcessEnv;
  /** How often each contender is measured; odd, so that one round is the median. */
  readonly rounds: number;
  /** How long one contender is measured in a round. */
  readonly roundMs: number;
  /** Users of a Site where a row needs a large one. */
  readonly userCount: number;
  /** Ends, in reverse order, what rows have started. */
  readonly resources: AsyncDisposableStack;
}

/** One subject with all that is measured about it in the same rounds. */
export interface Row {
  /** The names of its figures, by which they are chosen: `subject: what`. */
  readonly names: readonly string[];
  /** Measures Signet and its yardsticks in turn; as many samples as rounds. */
  measure(bench: Bench): Promise<readonly Figure[]>;
}

/** One number of Signet beside that of its yardstick; sample `n` of both is from round `n`. */
export interface Figure {
  readonly row: string;
  readonly unit: "calls/s" | "checks/s" | "frames/s" | "writes/s" | "ms" | "µs" | "KiB";
  readonly samples: readonly number[];
  readonly yardstick: { readonly name: string; readonly samples: readonly number[] };
  /** The ratio to reach: at least for rates, at most for times. */
  readonly goal?: number;
}
