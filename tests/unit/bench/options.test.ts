import { describe, expect, test } from "vitest";
import { isWanted, parseOptions } from "../../../bench/options.ts";

describe("the options of the bench", () => {
  test("measure longer by default than with --quick", () => {
    const [full, quick] = [parseOptions([]), parseOptions(["--quick", "--json"])];

    expect(full.json).toBe(false);
    expect(quick.json).toBe(true);
    expect(quick.rounds * quick.roundMs).toBeLessThan(full.rounds * full.roundMs);
  });

  test("set rounds and their length, within bounds", () => {
    const options = parseOptions(["--quick", "--rounds", "1", "--round-ms", "50"]);

    expect(options).toMatchObject({ rounds: 1, roundMs: 50 });
    expect(() => parseOptions(["--rounds", "0"])).toThrow("--rounds must be a whole number");
    expect(() => parseOptions(["--round-ms", "60001"])).toThrow("from 1 to 60000");
    expect(() => parseOptions(["--rounds", "many"])).toThrow("--rounds must be a whole number");
  });

  test("ask for a soak by its name, of a size within bounds", () => {
    expect(parseOptions(["login"]).soak).toBeUndefined();
    expect(parseOptions(["soak"]).soak).toEqual({
      streams: 10_000,
      tokens: 1_000_000,
      minutes: 60,
    });
    expect(parseOptions(["soak", "--minutes", "2"]).soak).toMatchObject({ minutes: 2 });
    expect(() => parseOptions(["soak", "--streams", "10001"])).toThrow("--streams must be");
  });

  test("refuse what they do not know", () => {
    expect(() => parseOptions(["--fast"])).toThrow(TypeError);
  });

  test("choose rows by a part of the name", () => {
    const options = parseOptions(["login", "p99"]);

    expect(isWanted(options, "login: throughput")).toBe(true);
    expect(isWanted(options, "sync: commit to subscriber, p99")).toBe(true);
    expect(isWanted(options, "validate token: throughput")).toBe(false);
    expect(isWanted(parseOptions([]), "validate token: throughput")).toBe(true);
  });
});
