import type { DescEnum, EnumShape, JsonObject } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError, Option } from "commander";
import type { EnumWords } from "./enum-words.ts";

/** An option that may be given several times; its value is the list. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, `${description} (may be repeated)`).argParser(
    (value: string, before: readonly string[] = []) => [...before, value],
  );
}

/** An option whose value is one word of an enum. */
export function enumOption<Desc extends DescEnum>(
  flags: string,
  description: string,
  words: EnumWords<EnumShape<Desc>>,
): Option {
  return new Option(flags, description)
    .choices(words.words)
    .argParser((word: string) => toEnum(word, words));
}

/** An option that takes words of an enum, one at a time. */
export function enumListOption<Desc extends DescEnum>(
  flags: string,
  description: string,
  words: EnumWords<EnumShape<Desc>>,
): Option {
  return new Option(flags, `${description} (may be repeated)`)
    .choices(words.words)
    .argParser((word: string, before: readonly EnumShape<Desc>[] = []) => [
      ...before,
      toEnum(word, words),
    ]);
}

/** An option whose value is a whole number from 0 on. */
export function numberOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseNumber);
}

/** Reads a whole number from 0 on, as field types of 32 bits hold it. */
export function parseNumber(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 0x7fff_ffff) return value;
  throw new InvalidArgumentError("It must be a whole number.");
}

/** An option whose value is a point in time, given as such or as the time until then. */
export function timeOption(flags: string, description: string, now: () => number): Option {
  return new Option(
    flags,
    `${description}: 2027-01-31, 2027-01-31T12:00:00Z, or from now on 90d, 12h, 30m`,
  ).argParser((text: string) => parseTime(text, now()));
}

/** An option whose value is a point in time, given as such or as the time since then. */
export function pastTimeOption(flags: string, description: string, now: () => number): Option {
  return new Option(
    flags,
    `${description}: 2027-01-31, 2027-01-31T12:00:00Z, or as long ago as 90d, 12h, 30m`,
  ).argParser((text: string) => parseTime(text, now(), -1));
}

/** An option whose value is a JSON object. */
export function jsonOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseJsonObject);
}

/** Leaves out the options that were not given: to the server, present means "change this". */
export function present<T extends object>(
  options: T,
): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}

function toEnum<Value>(word: string, words: EnumWords<Value>): Value {
  const value = words.valueOf(word);
  if (value !== undefined) return value;
  throw new InvalidArgumentError(`It must be one of ${words.words.join(", ")}.`);
}

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const POINT_IN_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

function parseTime(text: string, nowMs: number, direction: 1 | -1 = 1): Timestamp {
  const [, count, unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (count) return timestampFromMs(nowMs + direction * Number(count) * (UNIT_MS[unit] ?? 0));
  const timeMs = POINT_IN_TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(timeMs)) return timestampFromMs(timeMs);
  throw new InvalidArgumentError("It must be a date, a time with its zone, or a duration.");
}

function parseJsonObject(text: string): JsonObject {
  const value = parseJson(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonObject;
  }
  throw new InvalidArgumentError(`It must be a JSON object such as '{"plan":"free"}'.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A SyntaxError: the caller says what it should be.
  }
}
