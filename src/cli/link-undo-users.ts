import { ErrorReason, reasonOf, type SignetClient, UserState } from "../client/index.ts";
import type { UndoSession } from "./link-undo.ts";

/** What became of the Users that the run has created. */
export interface UndoneUsers {
  readonly deleted: number;
  /** Users who have signed in or were altered since, or may not be deleted. */
  readonly kept: number;
}

interface CreatedUser {
  readonly row_id: string;
  readonly user_id: string;
  readonly version: string;
}

const BATCH_ROWS = 100;
const CALLS_MAX = 8;

/**
 * Deletes the Users that the run has created for rows that it has unlinked, if they were not
 * touched since; it may be run again.
 */
export async function deleteCreatedUsers(
  { db, log, run, client, siteId }: UndoSession,
  onBatch: (undone: UndoneUsers) => void,
): Promise<UndoneUsers> {
  let undone: UndoneUsers = { deleted: 0, kept: 0 };
  for (let after: string | undefined = ""; after !== undefined; ) {
    const { rows }: { readonly rows: readonly CreatedUser[] } = await db.query<CreatedUser>(
      `select row_id, new_link::text as user_id, user_version::text as version from ${log.log}
        where run = $1 and outcome = 'created' and undo_outcome = 'unlinked'
          and user_undo_outcome is null and row_id > $2
        order by row_id limit ${BATCH_ROWS}`,
      [run.run, after],
    );
    const outcomes = await deleteUsers(client, siteId, rows);
    await db.query(
      `update ${log.log} as entry set user_undo_outcome = given.outcome
         from unnest($2::text[], $3::text[]) as given (row_id, outcome)
        where entry.run = $1 and entry.row_id = given.row_id`,
      [run.run, rows.map((row) => row.row_id), outcomes],
    );
    const deleted = outcomes.filter((outcome) => outcome === "deleted").length;
    const kept = undone.kept + outcomes.length - deleted;
    undone = { deleted: undone.deleted + deleted, kept };
    onBatch(undone);
    after = rows.at(-1)?.row_id;
  }
  return undone;
}

async function deleteUsers(
  client: SignetClient,
  siteId: string,
  users: readonly CreatedUser[],
): Promise<string[]> {
  const outcomes: string[] = [];
  for (let n = 0; n < users.length; n += CALLS_MAX) {
    const some = users.slice(n, n + CALLS_MAX);
    outcomes.push(...(await Promise.all(some.map((user) => deleteUser(client, siteId, user)))));
  }
  return outcomes;
}

/** Refusals that tell something of the User; any other ends the command. */
const REFUSALS: ReadonlyMap<ErrorReason | undefined, string> = new Map([
  [ErrorReason.USER_NOT_FOUND, "deleted"],
  [ErrorReason.VERSION_MISMATCH, "kept: altered since"],
  [ErrorReason.DELETION_PROTECTED, "kept: protected"],
  [ErrorReason.LAST_ADMIN, "kept: the last admin"],
]);

async function deleteUser(
  { users }: SignetClient,
  siteId: string,
  { user_id: userId, version }: CreatedUser,
): Promise<string> {
  const expectedVersion = BigInt(version);
  try {
    const { user, signIn } = await users.getUser({ siteId, userId });
    if (!user || user.state === UserState.DELETED) return "deleted";
    if (user.version !== expectedVersion) return "kept: altered since";
    if (!signIn || signIn.lastLoginTime) return "kept: has signed in";
    await users.deleteUser({ siteId, userId, expectedVersion });
    return "deleted";
  } catch (error) {
    const outcome = REFUSALS.get(reasonOf(error));
    if (outcome === undefined) throw error;
    return outcome;
  }
}
