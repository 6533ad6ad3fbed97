import type { FaultName } from "../support/fault-scene.ts";

/** A build of Signet with one defence taken out, and the test that must notice. */
export interface Weakening {
  /** What is taken out, in a few words; unique. */
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly noticedBy: TestFile | FaultKind;
  /** What the failing test must say, so that it fails for this reason and no other. */
  readonly says: RegExp;
}

/** Replaces a text that stands exactly once in a file of the project. */
export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  readonly text: string;
  readonly replacement: string;
}

/** A file of tests below `tests`, such as `e2e/login-races.test.ts`. */
export interface TestFile {
  readonly test: string;
  /** The tests of the file whose names have this text; absent: all. */
  readonly named?: string;
}

/** A kind of fault that `npm run faults` has. */
export interface FaultKind {
  readonly fault: FaultName;
  /** How many times; default 1. Chance decides whether a weak build is hit by one. */
  readonly rounds?: number;
}
