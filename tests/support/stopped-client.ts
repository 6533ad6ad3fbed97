import { fileURLToPath } from "node:url";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { type Clients, refusalOf, type TestSite } from "./builders.ts";
import { startProgram } from "./programs.ts";
import { until } from "./waiting.ts";
import { openWatch } from "./watch.ts";

const PROGRAM = fileURLToPath(new URL("./stream-program.ts", import.meta.url));
const CLIENT_ID = "stopped";
/** As many streams as one client id may have. */
const STREAMS = 4;

/**
 * Stops a process that holds all streams of its client id, as a machine does that sleeps, and
 * returns how long it takes until the service has given up on it, in milliseconds.
 */
export async function timeToFree(
  url: string,
  { key, backend }: TestSite,
  timeoutMs: number,
): Promise<number> {
  const words = ["--disable-warning=ExperimentalWarning", PROGRAM, url, key, CLIENT_ID];
  const program = startProgram(process.execPath, [...words, `${STREAMS}`]);
  try {
    await program.output.waitFor(/open\n/, "its streams");
    const before = await mayStream(backend);
    program.signal("SIGSTOP");
    const stopMs = performance.now();
    if (before || (await mayStream(backend))) throw new Error("the streams are not held");
    await until(() => mayStream(backend), timeoutMs);
    return performance.now() - stopMs;
  } finally {
    await program.stop("SIGKILL");
  }
}

/** Tells whether the client id has room for one stream more. */
async function mayStream(clients: Clients): Promise<boolean> {
  await using watch = openWatch(clients, { clientId: CLIENT_ID, start: WatchStart.HEAD });
  try {
    await watch.next("hello");
    return true;
  } catch (error) {
    if (refusalOf(error).reason === "TOO_MANY_STREAMS") return false;
    throw error;
  }
}
