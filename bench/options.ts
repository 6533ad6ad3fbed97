import { parseArgs } from "node:util";

/** What a run measures, how long, and how it tells. */
export interface BenchOptions {
  readonly json: boolean;
  readonly rounds: number;
  readonly roundMs: number;
  /** Users of a large Site. */
  readonly userCount: number;
  /** Words that a row's name has one of; none: every row. */
  readonly filters: readonly string[];
}

/** How the bench is called. */
export const USAGE =
  "npm run bench -- [--quick] [--json] [--rounds n] [--round-ms n] [--users n] [part of a name …]";

const FULL = { rounds: 7, roundMs: 3_000, userCount: 1_000_000 };
const QUICK = { rounds: 3, roundMs: 700, userCount: 10_000 };

const ROUNDS_MAX = 99;
const ROUND_MS_MAX = 60_000;
const USERS_MAX = 999_999_999;

/** Reads the command line. @throws {TypeError} for what it does not know. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean" },
      json: { type: "boolean" },
      rounds: { type: "string" },
      "round-ms": { type: "string" },
      users: { type: "string" },
    },
  });
  const size = values.quick ? QUICK : FULL;
  return {
    json: values.json ?? false,
    rounds: wholeNumber("--rounds", values.rounds, size.rounds, ROUNDS_MAX),
    roundMs: wholeNumber("--round-ms", values["round-ms"], size.roundMs, ROUND_MS_MAX),
    userCount: wholeNumber("--users", values.users, size.userCount, USERS_MAX),
    filters: positionals,
  };
}

/** Says whether a row of this name was asked for. */
export function isWanted({ filters }: BenchOptions, name: string): boolean {
  return filters.length === 0 || filters.some((filter) => name.includes(filter));
}

function wholeNumber(
  option: string,
  text: string | undefined,
  fallback: number,
  max: number,
): number {
  const value = text === undefined ? fallback : /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) {
    throw new TypeError(`${option} must be a whole number from 1 to ${max}`);
  }
  return value;
}
