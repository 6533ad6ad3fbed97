import { setTimeout as sleep } from "node:timers/promises";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { clientsOf, unique, uniqueEmail } from "./builders.ts";
import { runAsAdmin } from "./database.ts";
import type { FaultName, FaultScene, PlannedFault, Strike } from "./fault-scene.ts";
import { until } from "./waiting.ts";

const ARRIVAL_MS_MAX = 30_000;
/** How long the clock of a process may need to be read anew: see FAKETIME_CACHE_DURATION. */
const CLOCK_MS_MAX = 5_000;

/** What is done to processes of the service. */
export const processStrikes = {
  "worker killed during a job": killWorker,
  "service killed": ({ signet }, { process }) => signet.killService(process),
  "requests duplicated": duplicateRequests,
  "clock stepped": stepClock,
  "rolling upgrade": upgrade,
} as const satisfies Partial<Record<FaultName, Strike>>;

/**
 * Kills the process that is about to hand a mail over, and lets the two minutes pass after which
 * its job is free again. That the mail arrives is seen at the end of the run.
 */
async function killWorker(
  { signet, mailboxes, mailed }: FaultScene,
  _: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  const email = uniqueEmail();
  const arrivals = mailboxes.map((mailbox, n) => mailbox.hold(email).then(() => n));
  const [baseUrl = ""] = signet.urls;
  const { auth } = clientsOf(createGrpcTransport({ baseUrl }), signet.key);
  await auth.register({ email, password: unique("correct horse") });
  mailed.push(email);
  const late = sleep(ARRIVAL_MS_MAX, undefined, { signal }).then(() =>
    Promise.reject(new Error("no mail came")),
  );
  const holder = await Promise.race([...arrivals, late]);
  await signet.killService(holder);
  for (const mailbox of mailboxes) mailbox.release();
  await runAsAdmin(
    signet.adminUrl,
    `update graphile_worker._private_jobs set locked_at = locked_at - interval '2 minutes'
      where locked_at is not null`,
  );
}

async function duplicateRequests({ habits }: FaultScene, { holdMs }: PlannedFault): Promise<void> {
  habits.twice = true;
  await sleep(holdMs);
  habits.twice = false;
}

/** The time of day that a process tells with each answer shows that it has been set. */
async function stepClock(
  { signet, clocks }: FaultScene,
  { process, stepSeconds, holdMs }: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  const url = `${signet.urls[process]}/healthz`;
  const isOffBy = async (seconds: number): Promise<boolean> => {
    const told = Date.parse((await fetch(url)).headers.get("date") ?? "");
    return Math.abs(told - Date.now() - 1_000 * seconds) < 2_500;
  };
  await clocks[process]?.step(stepSeconds);
  try {
    await until(() => isOffBy(stepSeconds), CLOCK_MS_MAX, signal);
    await sleep(holdMs);
  } finally {
    await clocks[process]?.step(0);
  }
  await until(() => isOffBy(0), CLOCK_MS_MAX, signal);
}

/**
 * Replaces one process after the other by the next version. The first of the new ones migrates
 * the database while the others still serve with the schema of theirs.
 */
async function upgrade({ signet, versions }: FaultScene, { holdMs }: PlannedFault): Promise<void> {
  const folder = await versions.next();
  const env = { DATABASE_OWNER_URL: signet.ownerUrl };
  for (const n of signet.urls.keys()) {
    const exitCode = await signet.replaceService(n, { folder, env });
    if (exitCode !== 0) throw new Error(`process ${n} ended with ${exitCode}`);
    await sleep(holdMs);
  }
}
