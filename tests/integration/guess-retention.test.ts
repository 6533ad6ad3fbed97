import { afterAll, expect, test } from "vitest";
import { removeExpired } from "../../src/store/retention.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";

const database = await openTestDatabase();
const across = { query: database.db.acrossSites };
afterAll(() => database[Symbol.asyncDispose]());

/** One row of each table, by when it ends; what it belongs to does not matter here. */
const INSERTS: Readonly<Record<string, (age: string) => string>> = {
  login_attempts: (age) => `(site_id, id, flow, outcome, source, create_time)
    values (gen_random_uuid(), gen_random_uuid(), 'login', 'failed', '192.0.2.1', now() - ${age})`,
  guess_counts: (age) => `(site_id, account_id, device_hash, guesses, update_time)
    values (gen_random_uuid(), gen_random_uuid(), '', 1, now() - ${age})`,
  call_counts: (age) => `(key, window_end, calls)
    values (gen_random_uuid()::text::bytea, now() - ${age}, 1)`,
  mail_counts: (age) => `(site_id, address_digest, window_end, mails)
    values (gen_random_uuid(), 'digest', now() - ${age}, 1)`,
  email_changes: (age) => `(site_id, id, user_id, new_email, redirect_url, create_time)
    values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'a@example.com', '',
            now() - ${age})`,
  login_challenges: (age) => `(site_id, token_hash, user_id, step, generation, audiences,
      client_ip, client_user_agent, create_time, expire_time)
    values (gen_random_uuid(), 'hash', gen_random_uuid(), 'code', 1, '{}', '', '', now(),
            now() - ${age})`,
};

test.each([
  ["login_attempts", "31 days", "29 days"],
  ["guess_counts", "31 days", "29 days"],
  ["call_counts", "1 hour", "1 second"],
  ["mail_counts", "1 second", "-1 hour"],
  ["email_changes", "8 days", "6 days"],
  ["login_challenges", "2 hours", "-5 minutes"],
])("%s goes once it is %s past, and is kept at %s", async (table, past, kept) => {
  await insert(table, [past, past, past, kept]);

  const counts = [];
  for (let left = 1; left > 0; counts.push(left)) {
    left = await removeExpired(across, { days: 7, limit: 2 });
  }

  expect(counts).toEqual([2, 1, 0]);
  const rows = await runAsAdmin(database.adminUrl, `select from signet.${table}`);
  expect(rows).toHaveLength(1);
  await runAsAdmin(database.adminUrl, `delete from signet.${table}`);
});

/** Without the Sites and Users that they refer to. */
async function insert(table: string, ages: readonly string[]): Promise<void> {
  const statements = ages.map(
    (age) => `insert into signet.${table} ${INSERTS[table]?.(`interval '${age}'`)}`,
  );
  await runAsAdmin(
    database.adminUrl,
    `set session_replication_role = replica; ${statements.join("; ")}`,
  );
}
