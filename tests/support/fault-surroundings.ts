import { rm } from "node:fs/promises";
import { createFaultClock } from "./fault-clock.ts";
import { openFaultDisk } from "./fault-disk.ts";
import { startFaultMailbox } from "./fault-mailbox.ts";
import type { FaultScene } from "./fault-scene.ts";
import { openFaultVersions } from "./fault-versions.ts";
import { openKillableSignet } from "./killable-signet.ts";
import { openTestFolder } from "./postgres.ts";

/** What a run is played in. */
export interface SceneOptions {
  readonly processes: number;
  /**
   * Room for PostgreSQL on a disk that can become full; with it come proxies, clocks and mail
   * servers. Undefined: the service can be killed, and that is all.
   */
  readonly diskMegabytes?: number;
}

/** Starts the service with all that faults are done to. Dispose of it at the end. */
export async function openFaultScene(options: SceneOptions): Promise<FaultScene & AsyncDisposable> {
  const { processes, diskMegabytes } = options;
  await using opening = new AsyncDisposableStack();
  const versions = opening.use(await openFaultVersions());
  const common = { versions, mailed: [], habits: { twice: false } };
  if (diskMegabytes === undefined) {
    const signet = opening.use(await openKillableSignet({ processes }));
    return disposing({ ...common, signet, clocks: [], mailboxes: [], disk: undefined }, opening);
  }
  const folder = await openTestFolder();
  opening.defer(() => rm(folder, { recursive: true }));
  const disk = openFaultDisk(diskMegabytes);
  if (disk) opening.use(disk);
  const numbers = Array.from({ length: processes }, (_, n) => n);
  const clocks = await Promise.all(numbers.map((n) => createFaultClock(folder, `clock-${n}`)));
  const mailboxes = await Promise.all(numbers.map(() => startFaultMailbox()));
  for (const mailbox of mailboxes) opening.use(mailbox);
  const env = (n: number) => ({
    ...clocks[n]?.env,
    SMTP_URL: mailboxes[n]?.url ?? "",
    SMTP_FROM: "Signet <no-reply@signet.test>",
    SIGNET_RATE_LIMIT_PERCENT: "100000",
  });
  const dataDir = disk?.dataDir;
  const place = { processes, linked: true, env, ...(dataDir && { dataDir }) };
  const signet = opening.use(await openKillableSignet(place));
  return disposing({ ...common, signet, clocks, mailboxes, disk }, opening);
}

function disposing(scene: FaultScene, opening: AsyncDisposableStack): FaultScene & AsyncDisposable {
  const everything = opening.move();
  return { ...scene, [Symbol.asyncDispose]: () => everything.disposeAsync() };
}
