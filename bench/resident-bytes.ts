import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const COLLECTIONS = 3;

/** Returns the memory that this process holds once its garbage is collected. */
export async function residentBytes(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let n = 0; n < COLLECTIONS; n += 1) {
    collect();
    // Finalizers, which let go of native memory, run between turns.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().rss;
}
