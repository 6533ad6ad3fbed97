import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { ImportResult } from "../model/user-import.ts";
import { setDisabledFrom } from "../store/credentials.ts";
import { deletePendingEmailChange } from "../store/email-changes.ts";
import { deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import type { Queryable } from "../store/sql.ts";
import { lockVersions, updateImports } from "../store/user-imports.ts";
import { keepAdmin } from "./admins.ts";
import type { ImportJob } from "./import-job.ts";
import type { ChangePlan, PlanResults, RowPlan } from "./import-plan.ts";
import { endAllSessions, voidAccessTokens } from "./sessions.ts";

/**
 * Changes the Users of the plans. Returns what became of each.
 *
 * @throws {Failure} `…_taken`; `version_mismatch`, where a User has changed since the look at it.
 */
export async function changeUsers(
  { deps, siteId }: Pick<ImportJob, "deps" | "siteId">,
  tx: Queryable,
  plans: readonly ChangePlan[],
  now: Date,
): Promise<PlanResults> {
  const results = new Map<RowPlan, ImportResult>();
  if (plans.length === 0) return results;
  const versions = await lockAsFound(tx, siteId, plans);
  const changes = [];
  for (const plan of plans) {
    const { before, merged, kinds } = plan;
    const getsPassword = kinds.includes("user_password_changed");
    const after: User = {
      ...merged,
      version: versions.get(before.id) ?? 0,
      passwordChangeTime: getsPassword ? now : before.passwordChangeTime,
      updateTime: now,
    };
    const failure = await prepareChange(tx, before, after, now);
    const { row } = plan.row;
    if (failure) {
      results.set(plan, { row, outcome: "refused", failure });
      continue;
    }
    const password = getsPassword ? plan.row.password : undefined;
    changes.push({ before, after, password, kinds, body: deps.encodeUser(after) });
    results.set(plan, { row, outcome: "updated", user: after });
  }
  await updateImports(tx, siteId, changes, now);
  return results;
}

/** @throws {Failure} `version_mismatch`, where a User has changed since it was looked at. */
async function lockAsFound(
  tx: Queryable,
  siteId: SiteId,
  plans: readonly ChangePlan[],
): Promise<ReadonlyMap<UserId, number>> {
  const ids = plans.map(({ before }) => before.id);
  const locked = new Map((await lockVersions(tx, siteId, ids)).map((user) => [user.id, user]));
  for (const { before } of plans) {
    if (locked.get(before.id)?.version !== before.version) throw new Failure("version_mismatch");
  }
  return new Map([...locked].map(([id, { nextVersion }]) => [id, nextVersion]));
}

/**
 * Does what belongs to a change besides the User itself, as UpdateUser and DisableUser do, but
 * without mails. Returns why it may not be.
 */
async function prepareChange(
  tx: Queryable,
  before: User,
  after: User,
  now: Date,
): Promise<Failure | undefined> {
  const { siteId, id } = before;
  try {
    await keepAdmin(tx, before, after);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  if (after.email !== before.email) {
    await deletePendingEmailChange(tx, siteId, id);
    await deleteOneTimeTokens(tx, siteId, id);
  }
  if (after.state !== before.state) {
    await endAllSessions(tx, siteId, id, now);
    await deleteOneTimeTokens(tx, siteId, id);
    await setDisabledFrom(tx, siteId, id, before.state);
  } else if (after.roles.join() !== before.roles.join()) {
    await voidAccessTokens(tx, siteId, id, now);
  }
  return undefined;
}
