import { type AnnouncingPool, surviveLosses, toError } from "./postgres-connection.ts";
import type { Principal } from "./principal.ts";

/** What is needed of a pool of connections to PostgreSQL: a `Pool` of pg has it. */
export interface UserPool extends AnnouncingPool {
  connect(): Promise<UserConnection>;
}

/** What is needed of its connections. */
export interface UserConnection {
  query(text: string, values?: unknown[]): Promise<unknown>;
  /** With an error the connection is closed instead of used again. */
  release(error?: Error): void;
  /** Tells of a connection that is lost while it is idle. */
  on?(event: "error", listener: (error: Error) => void): unknown;
  off?(event: "error", listener: (error: Error) => void): unknown;
}

/** The statements of one transaction: `query` as the pool's connections have it. */
export type UserTransaction<Pool extends UserPool> = Pick<ConnectionOf<Pool>, "query">;

// Two signatures, since a `Pool` of pg has a second one for callbacks, and the last one counts.
type ConnectionOf<Pool extends UserPool> = Pool["connect"] extends {
  (): Promise<infer Connection extends UserConnection>;
  (...callback: never): unknown;
}
  ? Connection
  : UserConnection;

/**
 * Runs `run` in a transaction in which PostgreSQL knows whose rows may be seen: `app.user_id` and
 * `app.site_id` are the principal's, for policies of row-level security to go by
 * (docs/guides/row-level-security.md). The settings end with the transaction, whatever becomes of
 * it, and the connection goes back to its pool without them; a pooler in transaction mode may stand
 * between.
 *
 * Commits what `run` did once its promise is fulfilled, and returns its value; undoes everything
 * where it is rejected. Statements go through the `db` that it is given: those that go to the pool
 * itself belong to nobody, and one that comes too late is refused.
 *
 * @throws {TypeError} where the principal names no User or no Site.
 * @throws {Error} where row-level security does not bind the pool's role (a superuser, or one with
 *   `bypassrls`); where a statement failed and `run` went on: nothing is committed then.
 */
export async function withUser<Pool extends UserPool, Result>(
  pool: Pool,
  principal: Principal,
  run: (db: UserTransaction<Pool>) => Promise<Result>,
): Promise<Result> {
  const { userId, siteId } = readPrincipal(principal);
  surviveLosses(pool);
  const connection = await pool.connect();
  connection.on?.("error", ignoreLoss);
  const { db, end } = lend(connection);
  try {
    await connection.query("begin");
    await requireBoundRole(connection);
    await connection.query(ENTER, [userId, siteId]);
    const result = await run(db as UserTransaction<Pool>);
    end();
    await commit(connection);
    giveBack(connection);
    return result;
  } catch (error) {
    end();
    giveBack(connection, await undo(connection));
    throw error;
  }
}

/** Settings of nobody are no mistake to PostgreSQL, but they are one of the program. */
function readPrincipal({ userId, siteId }: Principal): Principal {
  if (isText(userId) && isText(siteId)) return { userId, siteId };
  throw new TypeError("a principal is needed, with the ids of a User and of its Site");
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** Only until the end: later the connection may be in the hands of somebody else. */
function lend(connection: UserConnection) {
  let hasEnded = false;
  const query: UserConnection["query"] = (...statement) => {
    if (hasEnded) throw new Error("the transaction has ended: await each statement in it");
    return connection.query(...statement);
  };
  const end = (): void => {
    hasEnded = true;
  };
  return { db: { query }, end };
}

/** Whose role was looked at: it stays the same for as long as the connection lasts. */
const boundConnections = new WeakSet<UserConnection>();

const FIND_ROLE = `
  select rolsuper or rolbypassrls as unbound
    from pg_catalog.pg_roles
   where rolname = current_user`;

async function requireBoundRole(connection: UserConnection): Promise<void> {
  if (boundConnections.has(connection)) return;
  const [role] = rowsOf(await connection.query(FIND_ROLE));
  if (role?.unbound !== false) {
    throw new Error("row-level security does not bind this role: use one without bypassrls");
  }
  boundConnections.add(connection);
}

const ENTER = "select set_config('app.user_id', $1, true), set_config('app.site_id', $2, true)";

// Settings of the transaction end with it; the rest takes back what `run` may have set for longer.
const COMMIT = "commit; reset app.user_id; reset app.site_id";
const ROLLBACK = "rollback; reset app.user_id; reset app.site_id";

async function commit(connection: UserConnection): Promise<void> {
  const answers = await connection.query(COMMIT);
  const [answer] = Array.isArray(answers) ? answers : [answers];
  // PostgreSQL answers so, and not by an error, where a statement of the transaction has failed.
  if (!isRollback(answer)) return;
  throw new Error("nothing was committed: a statement of the transaction had failed");
}

function isRollback(answer: unknown): boolean {
  return isObject(answer) && answer.command === "ROLLBACK";
}

/** Returns the error where the connection is not fit to be used again. */
async function undo(connection: UserConnection): Promise<Error | undefined> {
  try {
    await connection.query(ROLLBACK);
    return undefined;
  } catch (error) {
    return toError(error);
  }
}

function giveBack(connection: UserConnection, loss?: Error): void {
  // One that is closed may still report its end.
  if (!loss) connection.off?.("error", ignoreLoss);
  connection.release(loss);
}

/** An error that nobody hears ends the process; the statement under way is rejected besides. */
function ignoreLoss(): void {}

function rowsOf(answer: unknown): readonly Readonly<Record<string, unknown>>[] {
  return isObject(answer) && Array.isArray(answer.rows) ? answer.rows : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
