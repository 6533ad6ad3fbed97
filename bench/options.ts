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
  /** The file of the chart that is drawn anew with what was measured; absent: none is. */
  readonly chart: string | undefined;
  /** Watches memory, and measures no row. */
  readonly soak: SoakSize | undefined;
}

/** How much a soak does. */
export interface SoakSize {
  readonly streams: number;
  readonly tokens: number;
  readonly minutes: number;
}

/** How the bench is called. */
export const USAGE =
  "npm run bench -- [--quick] [--json] [--rounds n] [--round-ms n] [--users n] [--chart file] " +
  "[part of a name …]; or soak [--streams n] [--tokens n] [--minutes n]";

const FULL = { rounds: 7, roundMs: 3_000, userCount: 1_000_000 };
const QUICK = { rounds: 3, roundMs: 700, userCount: 10_000 };

const ROUNDS_MAX = 99;
const ROUND_MS_MAX = 60_000;
const USERS_MAX = 999_999_999;
const SOAK = { streams: 10_000, tokens: 1_000_000, minutes: 60 };
/** What one process takes. */
const STREAMS_MAX = 10_000;
const TOKENS_MAX = 99_999_999;
const MINUTES_MAX = 10_000;

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
      chart: { type: "string" },
      streams: { type: "string" },
      tokens: { type: "string" },
      minutes: { type: "string" },
    },
  });
  const size = values.quick ? QUICK : FULL;
  return {
    json: values.json ?? false,
    rounds: wholeNumber("--rounds", values.rounds, size.rounds, ROUNDS_MAX),
    roundMs: wholeNumber("--round-ms", values["round-ms"], size.roundMs, ROUND_MS_MAX),
    userCount: wholeNumber("--users", values.users, size.userCount, USERS_MAX),
    filters: positionals,
    chart: values.chart,
    soak: positionals[0] === "soak" ? soakSize(values) : undefined,
  };
}

function soakSize(values: Readonly<Record<string, unknown>>): SoakSize {
  const number = (name: keyof SoakSize, max: number) =>
    wholeNumber(`--${name}`, values[name] as string | undefined, SOAK[name], max);
  return {
    streams: number("streams", STREAMS_MAX),
    tokens: number("tokens", TOKENS_MAX),
    minutes: number("minutes", MINUTES_MAX),
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
