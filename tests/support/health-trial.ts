import { randomBytes } from "node:crypto";
import { createEnvelope } from "../../src/crypto/envelope.ts";
import { createSubkeys } from "../../src/crypto/subkeys.ts";
import type { Deps } from "../../src/domain/deps.ts";
import { createKnownSites } from "../../src/domain/known-sites.ts";
import { reportMirror } from "../../src/domain/mirrors.ts";
import { makeSigningKey } from "../../src/domain/signing-keys.ts";
import { numberChanges } from "../../src/domain/sync.ts";
import { createSyncHealthBoard } from "../../src/domain/sync-health.ts";
import { type MirrorId, newId, type SiteId, type UserId } from "../../src/model/id.ts";
import type { Mirror, MirrorReport } from "../../src/model/mirror.ts";
import type { SyncHealth } from "../../src/model/sync-health.ts";
import type { Database } from "../../src/store/database.ts";
import { insertSigningKey } from "../../src/store/signing-keys.ts";
import { createBareSite } from "./bare-site.ts";
import { type ChangeGenerator, createChangeGenerator } from "./change-generator.ts";

/** A Site whose sync is judged by a clock that can be set. */
export interface HealthTrial {
  readonly deps: Deps;
  readonly siteId: SiteId;
  readonly generator: ChangeGenerator;
  /** Sets the clock of the service ahead of that of the machine. */
  shiftClock(ms: number): void;
  /** Reports as a Mirror that is live, at position 0, but for what is given. */
  report(given?: Partial<MirrorReport>): Promise<Mirror>;
  /** Looks anew, without what an earlier look has found. */
  examine(): Promise<SyncHealth>;
  /** The kinds of the problems that there are now. */
  kinds(): Promise<readonly string[]>;
  /** Creates Users whose Changes have positions. */
  fill(count: number): Promise<readonly UserId[]>;
}

/** Opens a Site without Users. */
export async function openHealthTrial(db: Database): Promise<HealthTrial> {
  const keys = new Map([[1, randomBytes(32)]]);
  const envelope = createEnvelope(createSubkeys({ current: 1, keys }));
  let shiftMs = 0;
  const used: Partial<Deps> = {
    db,
    clock: { now: () => new Date(Date.now() + shiftMs) },
    sites: createKnownSites({ db, envelope, isFresh: () => true }),
  };
  const deps = used as Deps; // These rules use no more of them.
  const siteId = await createBareSite(db);
  const key = await makeSigningKey(envelope, siteId, "ES256", "current", new Date());
  await db.inSite(siteId, (tx) => insertSigningKey(tx, siteId, key));
  const generator = createChangeGenerator(db, siteId);
  const examine = () => createSyncHealthBoard(deps).get(siteId);

  return {
    deps,
    siteId,
    generator,
    shiftClock(ms) {
      shiftMs = ms;
    },
    report: (given = {}) => reportMirror(deps, { kind: "operator" }, siteId, reportOf(given)),
    examine,
    kinds: async () => (await examine()).problems.map(({ kind }) => kind),
    async fill(count) {
      const ids = await generator.fill(count);
      await numberChanges(deps);
      return ids;
    },
  };
}

function reportOf(given: Partial<MirrorReport>): MirrorReport {
  return {
    id: newId<MirrorId>(),
    name: "shop",
    state: "live",
    epoch: 1,
    position: 0,
    sums: undefined,
    checkpointSums: undefined,
    lastReconcile: undefined,
    foreignWrites: 0,
    software: "test",
    ...given,
  };
}
