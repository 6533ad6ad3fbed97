import { pino } from "pino";
import type { Config, DatabaseConfig } from "../config.ts";
import { createDatabase } from "../store/database.ts";
import { withDirectClient } from "../store/direct-client.ts";
import { OWNER_ROLE } from "../store/roles.ts";
import { checkDatabase, DatabaseUnfitError } from "../store/startup-check.ts";
import type { Context } from "./context.ts";
import { clockFinding } from "./doctor-address.ts";
import { describeError } from "./error-line.ts";
import { type Finding, fail, ok, skip } from "./finding.ts";

const REACH = "is the URL right, is PostgreSQL up, and may this role connect?";

/** Checks each of the URLs of the service's database, its roles, migrations, walls and clock. */
export async function checkServiceDatabase(
  { database, dataDir }: Config,
  environment: Context["environment"],
): Promise<Finding[]> {
  if (!database) {
    const text = `there is no DATABASE_URL: the service runs a PostgreSQL of its own in ${dataDir}`;
    return [skip("service.database", text)];
  }
  const findings = await Promise.all([
    checkFitness(database, environment),
    checkDirect(database, environment),
    checkOwner(database, environment),
  ]);
  return findings.flat();
}

/** What the service itself checks before it serves. */
async function checkFitness(
  { url }: DatabaseConfig,
  environment: Context["environment"],
): Promise<Finding[]> {
  const check = "service.database";
  await using db = createDatabase({
    url: url.reveal(),
    poolMax: 1,
    log: pino({ level: "silent" }),
  });
  try {
    await checkDatabase(db);
    const text = "DATABASE_URL leads to a migrated database, whose walls between Sites stand";
    return [ok(check, text)];
  } catch (error) {
    if (!(error instanceof DatabaseUnfitError)) return [cannotReach(check, error, environment)];
    const advice = "see `signet migrate --help`, which prepares roles and schema";
    return error.problems.map((problem) => fail(check, problem, advice));
  }
}

/** The connection for LISTEN and jobs; a pooler in transaction mode would lose what it is told. */
async function checkDirect(
  { directUrl }: DatabaseConfig,
  environment: Context["environment"],
): Promise<Finding[]> {
  const check = "service.database_direct";
  const place = { url: directUrl.reveal(), name: "signet doctor" };
  try {
    return await withDirectClient(place, async (client) => {
      const sentMs = Date.now();
      const { rows } = await client.query<{ now: Date }>("select clock_timestamp() as now");
      const nowMs = (sentMs + Date.now()) / 2;
      const databaseMs = rows[0]?.now.getTime() ?? Number.NaN;
      const clock = clockFinding("service.clock", "the clock of the database", databaseMs, nowMs);
      await client.query("listen signet_doctor");
      const { rows: channels } = await client.query("select pg_listening_channels()");
      if (channels.length > 0) return [ok(check, "LISTEN works on DATABASE_DIRECT_URL"), clock];
      const advice = "let DATABASE_DIRECT_URL lead to PostgreSQL itself";
      return [fail(check, "LISTEN does not last: a pooler stands between", advice), clock];
    });
  } catch (error) {
    return [cannotReach(check, error, environment)];
  }
}

async function checkOwner(
  { ownerUrl }: DatabaseConfig,
  environment: Context["environment"],
): Promise<Finding[]> {
  const check = "service.database_owner";
  if (!ownerUrl) {
    return [skip(check, "there is no DATABASE_OWNER_URL: migrate by `signet migrate`")];
  }
  try {
    const place = { url: ownerUrl.reveal(), name: "signet doctor" };
    await withDirectClient(place, (client) => client.query(`set role ${OWNER_ROLE}`));
    return [ok(check, "DATABASE_OWNER_URL may migrate")];
  } catch (error) {
    return [cannotReach(check, error, environment)];
  }
}

/** What the store throws says no more than that the database is away; its cause does. */
function cannotReach(check: string, error: unknown, environment: Context["environment"]): Finding {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return fail(check, describeError(cause, environment), REACH);
}
