import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eraseClosedSites } from "../../src/domain/site-erasure.ts";
import { newId, parseId, type SiteId, type UserId } from "../../src/model/id.ts";
import { LIMITS } from "../../src/model/limits.ts";
import {
  type Clients,
  openSite,
  refusal,
  type SignedIn,
  signUp,
  type TestSite,
} from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { runAsAdmin } from "../support/database.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { rejection, until } from "../support/waiting.ts";

/** How many Users one transaction deletes. */
const STEP = LIMITS.erasedUsersMax;

let opened: InnerService;
let operator: Clients;
let site: TestSite;
let person: SignedIn;

beforeAll(async () => {
  opened = await openInnerService();
  ({ operator } = opened);
});

beforeEach(async () => {
  await eraseClosedSites(opened.deps); // What the tests before have left.
  site = await openSite(createGrpcTransport({ baseUrl: opened.url }), opened.operatorKey);
  person = await signUp(site.backend);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("the Users of a deleted Site", () => {
  test("are counted until they are deleted, and the Site is not found then", async () => {
    const { siteId } = site;
    await signUp(site.backend);

    const first = await operator.sites.deleteSite({ siteId });
    const second = await operator.sites.deleteSite({ siteId });
    const erased = await eraseClosedSites(opened.deps);
    const third = await refusal(operator.sites.deleteSite({ siteId }));

    expect([first.remainingUsers, second.remainingUsers]).toEqual([2n, 2n]);
    expect(erased).toEqual({ sites: 1, users: 2 });
    expect(third).toMatchObject({ code: "NotFound", reason: "SITE_NOT_FOUND" });
  });

  test("leave tombstones, changes, and nothing personal", async () => {
    const { siteId } = site;
    const protectedUser = await site.backend.users.createUser({
      email: "keep@example.com",
      username: "keeper",
      deletionProtected: true,
      roles: ["admin"],
    });
    await operator.sites.deleteSite({ siteId });
    await eraseClosedSites(opened.deps);
    await operator.sites.deleteSite({ siteId }).catch(() => undefined); // Numbers what is left.

    const users = await asAdmin<{ state: string; change: string; body: Buffer | null }>(
      `select u.state, c.kind as change
         from signet.users u
         join signet.changes c
           on c.site_id = u.site_id and c.user_id = u.id and c.version = u.version
        where u.site_id = '${siteId}'`,
    );
    expect(users).toEqual(Array(2).fill({ state: "deleted", change: "user_deleted" }));
    const events = await asAdmin<{ actor_kind: string; subject_id: string }>(
      `select actor_kind, subject_id from signet.audit_events
        where site_id = '${siteId}' and kind = 'user.deleted'`,
    );
    const ids = [person.userId, protectedUser.user?.id].toSorted();
    expect(events.map(({ subject_id }) => subject_id).toSorted()).toEqual(ids);
    expect(events.every(({ actor_kind }) => actor_kind === "system")).toBe(true);
    for (const secret of [person.email, "keep@example.com", "keeper"]) {
      expect(await tablesWith(secret), secret).toEqual([]);
    }
  });

  test("are deleted by the next run where one was stopped, each once", async () => {
    const { siteId } = site;
    const others = createChangeGenerator(opened.deps.db, parseId<SiteId>(siteId, "id"));
    await others.fill(3 * STEP - 1);
    await operator.sites.deleteSite({ siteId });
    const stopping = new AbortController();
    const seen = { transactions: 0 };
    const counting = countingDeps(() => {
      seen.transactions += 1;
      if (seen.transactions === 2) stopping.abort();
    });

    const stopped = await eraseClosedSites(counting, stopping.signal);
    const { remainingUsers } = await operator.sites.deleteSite({ siteId });
    const finished = await eraseClosedSites(opened.deps);

    expect(stopped).toEqual({ sites: 0, users: 2 * STEP });
    expect(remainingUsers).toBe(BigInt(STEP));
    expect(finished).toEqual({ sites: 1, users: STEP });
    expect(await deletionsOf(siteId)).toEqual({ changes: 3 * STEP, users: 3 * STEP });
  });

  test("are deleted once where two runs begin together", async () => {
    const { siteId } = site;
    await createChangeGenerator(opened.deps.db, parseId<SiteId>(siteId, "id")).fill(3 * STEP);
    await operator.sites.deleteSite({ siteId });

    const runs = await Promise.all([1, 2, 3].map(() => eraseClosedSites(opened.deps)));
    await eraseClosedSites(opened.deps);

    expect(runs.reduce((sum, { users }) => sum + users, 0)).toBeLessThanOrEqual(3 * STEP + 1);
    expect(await deletionsOf(siteId)).toEqual({ changes: 3 * STEP + 1, users: 3 * STEP + 1 });
  });

  test("are none but those who were let in before", async () => {
    const siteId = parseId<SiteId>(site.siteId, "id");
    const inserted = Promise.withResolvers<void>();
    const mayCommit = Promise.withResolvers<void>();
    const generator = createChangeGenerator(opened.deps.db, siteId);
    const hold = async () => {
      inserted.resolve();
      await mayCommit.promise;
    };
    const late = generator.create({ hold });
    await inserted.promise;

    await operator.sites.deleteSite({ siteId });
    const tooLate = await rejection(generator.create());
    const erasing = eraseClosedSites(opened.deps);
    await until(isErasureWaiting);
    mayCommit.resolve();
    await late;

    expect(tooLate).toMatchObject({ reason: "site_not_found" });
    expect(await erasing).toEqual({ sites: 1, users: 2 });
    expect(await deletionsOf(siteId)).toEqual({ changes: 2, users: 2 });
  });

  test("of other Sites are untouched", async () => {
    const other = await openSite(createGrpcTransport({ baseUrl: opened.url }), opened.operatorKey);
    const neighbour = await signUp(other.backend);
    // The same id on both Sites.
    await other.backend.users.createUser({ id: person.userId, email: person.email });
    await operator.sites.deleteSite({ siteId: site.siteId });

    await eraseClosedSites(opened.deps);

    const { users } = await other.backend.users.listUsers({});
    expect(users.map(({ id }) => id).toSorted()).toEqual(
      [neighbour.userId, person.userId].toSorted(),
    );
    const token = neighbour.accessToken;
    const { result } = await other.backend.auth.validateToken({ token });
    expect(result.case).toBe("valid");
  });
});

test("the application role cannot put a User into a deleted Site", async () => {
  const { siteId } = site;
  await operator.sites.deleteSite({ siteId });
  const client = new Client({ connectionString: opened.database.appUrl });
  await client.connect();
  try {
    await client.query(`select set_config('signet.site_id', '${siteId}', false)`);
    const id = newId<UserId>();
    const insert = client.query(`
      with logged as (
        insert into signet.change_outbox (site_id, kind, user_id, version, commit_time)
        values ('${siteId}', 'user_created', '${id}', 1, now()))
      insert into signet.users (site_id, id, version, email_verified, display_name, picture_url,
        locale, roles, state, mfa_enabled, create_time, update_time, deletion_protected)
      values ('${siteId}', '${id}', 1, false, '', '', '', '{}', 'active', false, now(), now(),
        false)`);

    expect(await rejection(insert)).toMatchObject({ constraint: "users_site_open" });
  } finally {
    await client.end();
  }
});

/** The rules, but for a look at each transaction once it has ended. */
function countingDeps(onTransaction: () => void) {
  const { db } = opened.deps;
  const counted: typeof db.changeSite = async (siteId, work) => {
    const result = await db.changeSite(siteId, work);
    onTransaction();
    return result;
  };
  return { ...opened.deps, db: { ...db, changeSite: counted } };
}

const asAdmin = <Row>(statement: string) => runAsAdmin<Row>(opened.database.adminUrl, statement);

/** The worker waits for the lock on the Site's row. */
async function isErasureWaiting(): Promise<boolean> {
  const waiting = await asAdmin(
    `select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'
        and query like '%signet.sites%for update%'`,
  );
  return waiting.length > 0;
}

async function deletionsOf(siteId: string) {
  const [counts] = await asAdmin<{ changes: number; users: number }>(
    `select (select count(*)::int from (
               select 1 from signet.change_outbox o
                where o.site_id = '${siteId}' and o.kind = 'user_deleted'
                  and not exists (select from signet.changes c
                                   where c.site_id = o.site_id and c.user_id = o.user_id
                                     and c.version = o.version)
                union all
               select 1 from signet.changes c
                where c.site_id = '${siteId}' and c.kind = 'user_deleted') all_changes) as changes,
            (select count(*)::int from signet.users u
              where u.site_id = '${siteId}' and u.state = 'deleted') as users`,
  );
  return counts;
}

/** Names the tables in which a text is found anywhere. */
async function tablesWith(text: string): Promise<string[]> {
  const tables = await asAdmin<{ name: string }>(
    `select c.relname as name from pg_class c
      where c.relnamespace = 'signet'::regnamespace and c.relkind in ('r', 'p')`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await asAdmin(
      `select from signet.${name} t
        where t::text like '%${text}%' or t::text like '%${Buffer.from(text).toString("hex")}%'
        limit 1`,
    );
    if (rows.length > 0) found.push(name);
  }
  return found;
}
