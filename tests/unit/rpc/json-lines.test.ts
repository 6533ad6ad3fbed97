import { type LevelWithSilent, pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createJsonLines } from "../../../src/rpc/json-lines.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_234 }));
afterEach(() => void vi.useRealTimers());

function openLog(level: LevelWithSilent, base: Readonly<Record<string, unknown>> | null) {
  const lines: string[] = [];
  const log = pino({ level, base }, { write: (line: string) => lines.push(line) });
  return { log, lines };
}

test.each([null, { worker: 3 }, { name: 'a "name"', pid: 1 }])(
  "a line is the same to the byte as one of pino, with %j in each",
  (base) => {
    const { log, lines } = openLog("info", base);

    createJsonLines(log).write('"a":"x","n":1.5', "call");
    log.info({ a: "x", n: 1.5 }, "call");

    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe(lines[1]);
  },
);

test("lines are on where the log has the level of information", () => {
  expect(createJsonLines(openLog("info", null).log).isEnabled()).toBe(true);
  expect(createJsonLines(openLog("debug", null).log).isEnabled()).toBe(true);
  expect(createJsonLines(openLog("warn", null).log).isEnabled()).toBe(false);
  expect(createJsonLines(openLog("silent", null).log).isEnabled()).toBe(false);
});

test("a stream that asks learns the level of the line, not that of the one before", () => {
  const levels: number[] = [];
  const stream = {
    [pino.symbols.needsMetadataGsym]: true as const,
    lastLevel: 0,
    write() {
      levels.push(this.lastLevel);
    },
  };
  const log = pino({ level: "info" }, stream);

  log.warn("a warning");
  createJsonLines(log).write('"a":1', "call");

  expect(levels).toEqual([40, 30]);
});
