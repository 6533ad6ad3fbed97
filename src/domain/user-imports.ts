import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { newUser, type User } from "../model/user.ts";
import {
  type ImportResult,
  type ImportRow,
  isReadable,
  isRefused,
  type ReadRow,
} from "../model/user-import.ts";
import type { Queryable } from "../store/sql.ts";
import { findNamedUsers, forgetPlans, insertImports } from "../store/user-imports.ts";
import { firstVersion } from "../store/users.ts";
import { changeUsers } from "./import-changes.ts";
import { foresee } from "./import-foresight.ts";
import type { ImportJob } from "./import-job.ts";
import { indexUsers, namesToFind } from "./import-matches.ts";
import { type CreationPlan, type PlanResults, planRow, type RowPlan } from "./import-plan.ts";
import { independentPlans } from "./import-stretch.ts";

/** What other transactions may do between the look at the Users and the write; then look again. */
const RACES = new Set([
  "id_taken",
  "email_taken",
  "username_taken",
  "external_id_taken",
  "version_mismatch",
  "unavailable",
]);

/**
 * Imports rows and returns a result for each, in their order, once all are committed. A row that
 * is refused stops no other.
 *
 * @throws {Failure} `unavailable`: some rows may be imported; they are unchanged the next time.
 */
export async function importRows(
  job: ImportJob,
  rows: readonly ReadRow[],
): Promise<ImportResult[]> {
  const results = new Map<number, ImportResult>();
  for (const row of rows) if (isRefused(row)) results.set(row.row, { ...row, outcome: "refused" });
  let waiting = rows.filter(isReadable);
  while (waiting.length > 0) {
    const done = await importStretch(job, waiting);
    for (const result of done) results.set(result.row, result);
    waiting = waiting.slice(done.length);
  }
  return rows.map(({ row }) => results.get(row)).filter((result) => result !== undefined);
}

/**
 * Imports the first of the rows, as many as have nothing to do with each other. What another
 * transaction has come in between with is found by the next attempt, at last row by row.
 */
async function importStretch(
  job: ImportJob,
  rows: readonly ImportRow[],
): Promise<readonly ImportResult[]> {
  for (let attempt = 1; ; attempt += 1) {
    const tried = attempt > LIMITS.transactionAttemptsMax ? rows.slice(0, 1) : rows;
    try {
      return await attemptStretch(job, tried);
    } catch (error) {
      const isRace = error instanceof Failure && RACES.has(error.reason);
      if (!isRace || attempt === LIMITS.importAttemptsMax) throw error;
      await sleep(Math.random() * LIMITS.transactionRetryDelayMs * 2 ** attempt);
    }
  }
}

async function attemptStretch(
  job: ImportJob,
  rows: readonly ImportRow[],
): Promise<readonly ImportResult[]> {
  const { deps, siteId, options } = job;
  const readOnly = options.dryRun;
  // Not `changeSite`: a reader numbers many Changes at once, and a writer would wait for them.
  const results = await deps.db.inSite(
    siteId,
    async (tx) => {
      const found = indexUsers(await findNamedUsers(tx, siteId, namesToFind(rows)));
      const plans = independentPlans(rows, found, (row) => planRow(job, row, found));
      return readOnly
        ? plans.map((plan) => foresee(plan, options, job.taken))
        : await carryOut(job, tx, plans);
    },
    { readOnly },
  );
  if (!readOnly) deps.wakeReader();
  return results;
}

async function carryOut(
  job: ImportJob,
  tx: Queryable,
  plans: readonly RowPlan[],
): Promise<ImportResult[]> {
  const now = job.deps.clock.now();
  const changed = await changeUsers(
    job,
    tx,
    plans.filter((plan) => plan.action === "change"),
    now,
  );
  const created = await createUsers(
    job,
    tx,
    plans.filter((plan) => plan.action === "create"),
    now,
  );
  return plans.map(
    (plan) => changed.get(plan) ?? created.get(plan) ?? foresee(plan, job.options, undefined),
  );
}

async function createUsers(
  { deps, siteId, options }: ImportJob,
  tx: Queryable,
  plans: readonly CreationPlan[],
  now: Date,
): Promise<PlanResults> {
  if (plans.length === 0) return new Map();
  await forgetPlans(tx);
  const version = await firstVersion(tx, siteId);
  const imports = plans.map(({ row }) => {
    const user = userOf(row, { siteId, version, source: options.source, now });
    return { user, password: row.password, body: deps.encodeUser(user) };
  });
  await insertImports(tx, siteId, imports, now);
  return new Map(
    plans.map((plan, n) => [
      plan,
      { row: plan.row.row, outcome: "created", user: imports[n]?.user },
    ]),
  );
}

function userOf(
  { id, fields, emailVerified, password, disabled, createTime }: ImportRow,
  { siteId, version, source, now }: NewUserFacts,
): User {
  return newUser({
    ...fields,
    id: id ?? newId<UserId>(now),
    siteId,
    version,
    emailVerified: emailVerified && fields.email !== undefined,
    state: disabled ? "disabled" : "active",
    passwordChangeTime: password && now,
    origin: {
      kind: "import",
      source,
      sourceUserId: fields.externalId ?? "",
      arriveTime: now,
    },
    createTime: createTime ?? now,
    updateTime: now,
  });
}

interface NewUserFacts {
  readonly siteId: SiteId;
  readonly version: number;
  readonly source: string;
  readonly now: Date;
}
