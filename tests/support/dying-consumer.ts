import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Pool } from "pg";
import { createPostgresMirror } from "../../src/client/index.ts";
import type { Clients } from "./builders.ts";
import { uniqueEmail } from "./builders.ts";
import type { ConsumerArguments } from "./consumer-program.ts";
import { auditLog } from "./log-audit.ts";
import { judgeMirror } from "./mirror-judge.ts";
import { openPostgresPlace } from "./restless-mirror.ts";
import { openSiteOnService } from "./site-on-service.ts";
import { until } from "./waiting.ts";

/** A Site with a writer, and a database for the app's mirror. */
interface ConsumerTrial {
  readonly url: string;
  readonly key: string;
  readonly siteId: string;
  readonly users: Clients["users"];
  /** The superuser's, to the database of the service, which is the app's too. */
  readonly databaseUrl: string;
  readonly pool: Pool;
}

const PROGRAM = fileURLToPath(new URL("./consumer-program.ts", import.meta.url));
const MOMENTS = ["before", "sent", "confirmed"] as const;
const TABLE = "consumer";
const LIFE_MS_MAX = 30_000;
const COMMITS_MAX = 8;

/**
 * Lets an app die around a COMMIT of its mirror, so many times at each moment, while Users come,
 * change and go; then lets it live, and lists what its mirror or its own rows have wrong.
 */
async function runDyingConsumer(trial: ConsumerTrial, rounds: number): Promise<string[]> {
  const stopping = new AbortController();
  const writing = writeUntil(trial.users, stopping.signal);
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const moment of MOMENTS) {
        const commit = 1 + Math.floor(Math.random() * COMMITS_MAX);
        await runConsumer(trial, { moment, commit }, (exited) => exited);
      }
    }
  } finally {
    stopping.abort();
    await writing;
  }
  return await runConsumer(trial, { moment: "sent", commit: 0 }, () => judge(trial));
}

/** Runs the app until `wait` is over; an app that does not die in time is a failure. */
async function runConsumer<T>(
  { url, key, databaseUrl }: ConsumerTrial,
  death: Pick<ConsumerArguments, "moment" | "commit">,
  wait: (exited: Promise<void>) => Promise<T>,
): Promise<T> {
  const settings: ConsumerArguments = { url, key, databaseUrl, table: TABLE, ...death };
  const words = ["--disable-warning=ExperimentalWarning", PROGRAM, JSON.stringify(settings)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "ignore", "inherit"] });
  const exited = once(child, "exit", { signal: AbortSignal.timeout(LIFE_MS_MAX) }).then(() => {
    if (child.signalCode !== "SIGKILL") throw new Error(`the app ended with ${child.exitCode}`);
  });
  exited.catch(() => undefined);
  try {
    return await wait(exited);
  } finally {
    child.kill("SIGKILL");
  }
}

async function writeUntil(users: Clients["users"], signal: AbortSignal): Promise<void> {
  const ids: string[] = [];
  for (let n = 0; !signal.aborted; n += 1) {
    const { user } = await users.createUser({ email: uniqueEmail(), displayName: `${n}` });
    ids.push(user?.id ?? "");
    const userId = ids[Math.floor(Math.random() * ids.length)] ?? "";
    await users.updateUser({ userId, displayName: `${n}, again` });
    if (n % 7 === 6) await users.deleteUser({ userId: ids.shift() ?? "" });
  }
}

async function judge({ pool, databaseUrl, siteId }: ConsumerTrial): Promise<string[]> {
  const storage = createPostgresMirror({ pool, table: TABLE });
  const place = await openPostgresPlace(TABLE, pool);
  const log = await auditLog(databaseUrl, siteId);
  await until(async () => {
    const { phase, position } = await storage.readState();
    return phase === "tail" && position >= log.end;
  }, LIFE_MS_MAX);
  const sums = async () => (await storage.readState()).sums;
  const mirror = await judgeMirror({ faults: [], place, sums }, log.rows);
  return [...log.lost, ...log.faults, ...mirror];
}

/** Runs the trial on a service and a pool of its own; returns what went wrong. */
export async function tryDyingConsumer(rounds: number): Promise<string[]> {
  await using opened = await openSiteOnService();
  const { site, database, service } = opened;
  const pool = new Pool({ connectionString: database.adminUrl });
  try {
    const users = site.backend.users;
    const trial = { ...site, url: service.url, users, databaseUrl: database.adminUrl, pool };
    return await runDyingConsumer(trial, rounds);
  } finally {
    await pool.end();
  }
}
