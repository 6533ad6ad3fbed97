import { writeFile } from "node:fs/promises";

/** What a client sets out to do. */
export type Intent =
  | { readonly type: "create"; readonly name: string }
  /** New display names by User, all of them or none. */
  | { readonly type: "rename"; readonly names: ReadonlyMap<string, string> }
  | { readonly type: "delete"; readonly userId: string }
  | { readonly type: "refresh"; readonly sessionId: string; readonly token: string };

/** A version that an answer has told of. */
export interface WrittenVersion {
  readonly userId: string;
  readonly version: number;
  readonly name: string;
}

/** What has become of it, as far as the client knows. */
export type Outcome =
  | { readonly type: "acknowledged"; readonly written: readonly WrittenVersion[] }
  | { readonly type: "refreshed"; readonly successor: string }
  /** An answer that says that nothing has happened. */
  | { readonly type: "refused"; readonly reason: string }
  /** No answer, or one that leaves open what has happened. */
  | { readonly type: "unknown"; readonly problem: string };

/** One line of the log; its place in the log says what came before it. */
export type Entry =
  | {
      readonly operation: number;
      readonly client: string;
      readonly atMs: number;
      readonly invoked: Intent;
    }
  | { readonly operation: number; readonly atMs: number; readonly ended: Outcome };

/** An operation from both its ends; its places in the log say what came before what. */
export interface Operation {
  readonly client: string;
  readonly intent: Intent;
  readonly invokedMs: number;
  readonly invokedAt: number;
  readonly endedMs: number;
  readonly endedAt: number;
  readonly outcome: Outcome;
}

/** What the clients of a run have done, in the order in which it was. Nothing is ever changed. */
export interface OperationLog {
  readonly entries: readonly Entry[];
  /** Notes what a client is about to do; the function returned notes what has become of it. */
  invoke(client: string, intent: Intent): (outcome: Outcome) => void;
  /** How many operations there were. */
  operations(): number;
  /** How many versions have been acknowledged. */
  acknowledged(): number;
  /** Writes one line of JSON for each entry. */
  save(path: string): Promise<void>;
}

/** Creates an empty log. */
export function createOperationLog(): OperationLog {
  const entries: Entry[] = [];
  let operations = 0;
  let acknowledged = 0;
  return {
    entries,
    operations: () => operations,
    acknowledged: () => acknowledged,
    invoke(client, intent) {
      operations += 1;
      const operation = operations;
      entries.push({ operation, client, atMs: performance.now(), invoked: intent });
      return (outcome) => {
        if (outcome.type === "acknowledged") acknowledged += outcome.written.length;
        entries.push({ operation, atMs: performance.now(), ended: outcome });
      };
    },
    async save(path) {
      const lines = entries.map((entry) => JSON.stringify(entry, toPlain));
      await writeFile(path, `${lines.join("\n")}\n`, { mode: 0o600 });
    },
  };
}

function toPlain(_name: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
