import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { codeAt } from "../support/authenticator.ts";
import { grpcClients, type SignedIn, signUp, unique, uniqueEmail } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { importRows } from "../support/imports.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

/** What a person leaves behind, in words that nobody else has. */
const TRACE = unique("trace").replace("-", "");
const IP = "203.0.113.77";
const DEVICE = unique("device");

let opened: SiteOnService;
let person: SignedIn;
let before: readonly string[];

beforeAll(async () => {
  opened = await openSiteOnService();
  const { backend } = opened.site;
  person = await signUp(backend);
  await leaveTraces();
  before = await placesOf(traces());
  await backend.users.deleteUser({ userId: person.userId });
}, 60_000);

afterAll(() => opened[Symbol.asyncDispose]());

describe("what a person leaves in the database", () => {
  test("is in many places, or the next test would tell nothing", () => {
    for (const table of ["users", "sessions", "changes", "audit_events", "email_changes"]) {
      expect(before.join()).toContain(`signet.${table}.`);
    }
  });

  test("is nowhere once the User is deleted, but for what is not the User's own", async () => {
    await until(async () => (await placesOf(traces())).length === 0);

    expect(await rowsOf(person.userId)).toEqual([]);
  });

  test("is not where an imported User came from either", async () => {
    const { users } = opened.site.backend;
    const row = { email: uniqueEmail(), externalId: unique("old") };
    const [{ userId = "" } = {}] = await importRows(opened.site.backend, [row]);
    const { user } = await users.getUser({ userId });

    await users.deleteUser({ userId });

    expect(user?.origin).toMatchObject({ source: "test", sourceUserId: row.externalId });
    const { users: found } = await users.batchGetUsers({ userIds: [userId] });
    expect(found.map(({ id, origin }) => ({ id, origin }))).toEqual([
      { id: userId, origin: undefined },
    ]);
  });

  test("frees the names, and leaves a tombstone to be streamed", async () => {
    const { users } = opened.site.backend;
    const given = { email: `${TRACE}@example.com`, username: TRACE, externalId: `x-${TRACE}` };

    await expect(users.createUser(given)).resolves.toMatchObject({ user: given });
    const { users: found } = await users.batchGetUsers({ userIds: [person.userId] });
    expect(found).toMatchObject([{ id: person.userId, email: "", displayName: "", roles: [] }]);
  });
});

/** Fills every field, and goes through every flow that writes something down. */
async function leaveTraces(): Promise<void> {
  const { backend } = opened.site;
  const { userId } = person;
  const client = { ip: IP, userAgent: `Browser of ${TRACE}`, deviceToken: DEVICE };
  const email = `${TRACE}@example.com`;
  await backend.users.updateUser({
    userId,
    email,
    emailVerified: true,
    username: TRACE,
    displayName: `Ada ${TRACE}`,
    pictureUrl: `https://pictures.example.com/${TRACE}`,
    externalId: `x-${TRACE}`,
    metadata: { nick: TRACE },
    roles: { roles: ["user", "editor"] },
  });
  const identifier = { case: "email", value: email } as const;
  const { result } = await backend.auth.login({ identifier, password: person.password, client });
  const accessToken = result.case === "session" ? result.value.tokens?.accessToken : undefined;
  const { auth } = grpcClients(opened.service.url, accessToken);
  const { secret } = await auth.enrollTotp({});
  await auth.confirmTotp({ totpCode: codeAt(secret) });
  await backend.auth.login({ identifier, password: person.password, client });
  await backend.auth.login({ identifier, password: "wrong", client }).catch(() => undefined);
  await backend.auth.requestPasswordReset({ identifier, client });
  await backend.auth.requestPasswordReset({ identifier, delivery: Delivery.RETURN_TOKEN });
  await backend.auth.requestEmailChange({ userId, newEmail: `new-${email}`, client });
  // Another's acts, which stay: they must name nobody.
  const { user: other } = await backend.users.createUser({ email: uniqueEmail() });
  await backend.users.updateUser({ userId: other?.id ?? "", displayName: "Grace" });
  await until(async () => (await placesOf([TRACE])).join().includes("signet.changes."));
}

function traces(): string[] {
  return [TRACE, IP, DEVICE, person.email];
}

/** Names the columns of the database, texts and bytes alike, that hold one of the words. */
async function placesOf(words: readonly string[]): Promise<string[]> {
  const columns = await runAsAdmin<{ place: string; query: string }>(
    opened.database.adminUrl,
    `select format('%I.%I.%I', n.nspname, c.relname, a.attname) as place,
            format(
              case when a.atttypid = 'bytea'::regtype
                then 'select from %I.%I where encode(%I, ''escape'') ~ %L limit 1'
                else 'select from %I.%I where %I::text ~ %L limit 1' end,
              n.nspname, c.relname, a.attname, '${words.join("|")}') as query
       from pg_attribute a
       join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
       join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('signet', 'graphile_worker') and a.attnum > 0 and not a.attisdropped
        and not c.relispartition
        and a.atttypid in ('text'::regtype, 'bytea'::regtype, 'jsonb'::regtype, 'json'::regtype,
                           'text[]'::regtype, 'uuid'::regtype, 'inet'::regtype)`,
  );
  const places: string[] = [];
  for (const { place, query } of columns) {
    if ((await runAsAdmin(opened.database.adminUrl, query)).length > 0) places.push(place);
  }
  return places;
}

/** Rows that a User has only as long as it is one. */
async function rowsOf(userId: string): Promise<string[]> {
  const names = ["credentials", "one_time_tokens", "email_changes", "known_devices"];
  const further = ["login_challenges", "login_attempts", "recovery_codes", "user_roles"];
  const rows: string[] = [];
  for (const name of [...names, ...further]) {
    const query = `select from signet.${name} where user_id = '${userId}' limit 1`;
    if ((await runAsAdmin(opened.database.adminUrl, query)).length > 0) rows.push(name);
  }
  return rows;
}
