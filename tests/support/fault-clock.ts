import { readdirSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The clock of one process, which can be set while it runs. */
export interface FaultClock {
  /** What the process needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets the process's time of day off by so many seconds; its monotonic clock goes on. */
  step(seconds: number): Promise<void>;
}

/** Makes a clock whose setting is kept in a folder; needs Debian's package `libfaketime`. */
export async function createFaultClock(folder: string, name: string): Promise<FaultClock> {
  const file = join(folder, name);
  const step = (seconds: number) =>
    writeFile(file, `${seconds < 0 ? "" : "+"}${seconds}\n`, { mode: 0o644 });
  await step(0);
  return {
    env: {
      LD_PRELOAD: findLibrary(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    step,
  };
}

/** @throws if the machine does not have it. */
function findLibrary(): string {
  const candidates = readdirSync("/usr/lib").map((name) =>
    join("/usr/lib", name, "faketime", "libfaketimeMT.so.1"),
  );
  const found = candidates.find((path) => statSync(path, { throwIfNoEntry: false }));
  if (found) return found;
  throw new Error("libfaketime is missing: on Debian, apt-get install libfaketime");
}
