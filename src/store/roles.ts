import { randomBytes } from "node:crypto";
import { type Client, escapeIdentifier, escapeLiteral } from "pg";
import { LIMITS } from "../model/limits.ts";
import { withDirectClient } from "./direct-client.ts";
import { codeOf } from "./postgres-errors.ts";
import { scramVerifier } from "./scram-verifier.ts";

/** Owns all that the migrations make; nobody logs in as it. */
export const OWNER_ROLE = "signet_owner";
/** Owns the functions that work across Sites; nobody logs in as it. */
export const SYSTEM_ROLE = "signet_system";
/** Runs the service: owns nothing, and row-level security binds it. */
export const APP_ROLE = "signet_app";
/** Migrates: may become {@link OWNER_ROLE}, and nothing by itself. */
export const MIGRATOR_ROLE = "signet_migrator";

/** Where a prepared database is reached, by whom. Each holds a password. */
export interface RoleUrls {
  /** The application role's: `DATABASE_URL`. */
  readonly url: string;
  /** The same, for connections that must not pass a pooler: `DATABASE_DIRECT_URL`. */
  readonly directUrl: string;
  /** The migrator's: `DATABASE_OWNER_URL`. */
  readonly ownerUrl: string;
}

/** Passwords to give the roles; ASCII. By default each is 256 random bits. */
export interface RolePasswords {
  readonly app?: string;
  readonly migrator?: string;
}

const CREATE_ROLES = [
  `create role ${OWNER_ROLE} nologin`,
  `create role ${SYSTEM_ROLE} nologin`,
  `create role ${APP_ROLE} login`,
  // Without inheritance its sessions have no rights before they say `set role`.
  `create role ${MIGRATOR_ROLE} login noinherit`,
];

const GRANT_MEMBERSHIPS = [
  `grant ${OWNER_ROLE} to ${MIGRATOR_ROLE}`,
  // To give functions to the system role, and to replace them in a later migration.
  `grant ${SYSTEM_ROLE} to ${OWNER_ROLE}`,
];

/** Settings of the role, since poolers refuse such parameters from a connection. */
const APP_SETTINGS = {
  statement_timeout: LIMITS.databaseStatementTimeoutMs,
  lock_timeout: LIMITS.databaseLockTimeoutMs,
  idle_in_transaction_session_timeout: LIMITS.databaseIdleInTransactionTimeoutMs,
};

/**
 * Prepares the roles, and the database that `adminUrl` leads to, for the migrations.
 *
 * It may be run again: what exists stays, and passwords are set anew. Roles are of the whole
 * server, so a second Signet on it must be given the passwords of the first.
 *
 * The administrator is a superuser, or owns the database and may create roles.
 */
export async function prepareRoles(
  adminUrl: string,
  passwords: RolePasswords = {},
): Promise<RoleUrls> {
  const app = passwords.app ?? randomPassword();
  const migrator = passwords.migrator ?? randomPassword();
  await withDirectClient({ url: adminUrl, name: "signet roles" }, async (client) => {
    await client.query("begin");
    // Roles are of the whole server, but a lock is of one database: this one serves them all.
    await client.query("select pg_advisory_xact_lock(hashtext('signet roles'))");
    await createRoles(client);
    await setPassword(client, APP_ROLE, app);
    await setPassword(client, MIGRATOR_ROLE, migrator);
    for (const [name, value] of Object.entries(APP_SETTINGS)) {
      await client.query(`alter role ${APP_ROLE} set ${name} = ${value}`);
    }
    await grantDatabase(client);
    await client.query("commit");
  });
  const url = withCredentials(adminUrl, APP_ROLE, app);
  return { url, directUrl: url, ownerUrl: withCredentials(adminUrl, MIGRATOR_ROLE, migrator) };
}

/** Grants the roles what they need of the database itself; the roles exist. */
export async function prepareDatabase(adminUrl: string): Promise<void> {
  await withDirectClient({ url: adminUrl, name: "signet roles" }, grantDatabase);
}

/** Creates the database unless it is there, and returns the administrator's URL to it. */
export async function ensureDatabase(adminUrl: string, name: string): Promise<string> {
  await withDirectClient({ url: adminUrl, name: "signet roles" }, async (client) => {
    try {
      await client.query(`create database ${escapeIdentifier(name)}`);
    } catch (error) {
      const exists = ["42P04", "23505"].includes(codeOf(error) ?? "");
      if (!exists) throw error;
    }
  });
  return withDatabase(adminUrl, name);
}

/** Returns the URL to another database of the same server. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(name)}`;
  return changed.href;
}

/** What exists is left as it is: granting again would fail for an administrator of less rank. */
async function createRoles(client: Client): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>(
    "select rolname from pg_roles where rolname like 'signet\\_%'",
  );
  const existing = new Set(rows.map(({ rolname }) => rolname));
  for (const statement of CREATE_ROLES) {
    if (!existing.has(statement.split(" ")[2] ?? "")) await client.query(statement);
  }
  for (const statement of GRANT_MEMBERSHIPS) {
    const [, role, , member] = statement.split(" ");
    if (!(await isDirectMember(client, role, member))) await client.query(statement);
  }
}

async function isDirectMember(
  client: Client,
  role: string | undefined,
  member: string | undefined,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_auth_members
      where roleid = to_regrole($1) and member = to_regrole($2)`,
    [role, member],
  );
  return rowCount !== 0;
}

async function setPassword(client: Client, role: string, password: string): Promise<void> {
  const verifier = escapeLiteral(await scramVerifier(password));
  await client.query(`alter role ${role} login password ${verifier}`);
}

/** Revoking what PostgreSQL gives to everybody: temporary tables could shadow real ones. */
async function grantDatabase(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>("select current_database() as name");
  const database = escapeIdentifier(rows[0]?.name ?? "");
  await client.query(`
    revoke create, temporary on database ${database} from public;
    grant connect on database ${database} to ${APP_ROLE}, ${MIGRATOR_ROLE};
    grant connect, create on database ${database} to ${OWNER_ROLE};
    revoke create on schema public from public;`);
}

function randomPassword(): string {
  return randomBytes(32).toString("base64url");
}

function withCredentials(url: string, role: string, password: string): string {
  const changed = new URL(url);
  changed.username = role;
  changed.password = encodeURIComponent(password);
  return changed.href;
}
