import { decodeJwt, decodeProtectedHeader } from "jose";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRevocationMirror, createSignetClient } from "../../src/client/index.ts";
import { type SignedIn, signUp, type TestSite, unique } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const CURRENT = { timeoutMs: 20_000 };
/** Seconds on a machine with nothing else to do are more on a busy one. */
const SECONDS_MS_MAX = 20_000;

let home: SiteOnService;
/** The app's own database, in which Signet has nothing. */
let app: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  [home, app] = await Promise.all([openSiteOnService(), openTestDatabase()]);
  pool = new Pool({ connectionString: app.adminUrl });
  pool.on("error", () => undefined);
});

afterAll(async () => {
  await pool.end();
  await Promise.all([home, app].map((each) => each[Symbol.asyncDispose]()));
});

describe("the table of revocations", () => {
  test("refuses a Session that has ended, whether before it was filled or since", async () => {
    const { backend } = home.site;
    const [before, after, other] = [
      await signUp(backend),
      await signUp(backend),
      await signUp(backend),
    ];
    await backend.auth.logout({ refreshToken: before.refreshToken });
    await using place = openPlace(home.site);
    await place.mirror.waitUntilCurrent(CURRENT);
    const filled = [await place.check(before), await place.check(after)];

    await backend.auth.logout({ refreshToken: after.refreshToken });
    await until(async () => (await place.check(after)) === "revoked", SECONDS_MS_MAX);

    expect(filled).toEqual(["revoked", "good"]);
    expect(await place.check(other)).toBe("good");
  });

  test("refuses every token of a User whose generation was raised", async () => {
    const { backend } = home.site;
    const [gone, other] = [await signUp(backend), await signUp(backend)];
    await using place = openPlace(home.site);
    await place.mirror.waitUntilCurrent(CURRENT);

    await backend.users.deleteUser({ userId: gone.userId });
    await until(async () => (await place.check(gone)) === "revoked", SECONDS_MS_MAX);

    expect(await place.check(other)).toBe("good");
    const { rows } = await pool.query(
      `select generation from ${place.table} where kind = 'generation_raised' and subject_id = $1`,
      [gone.userId],
    );
    expect(rows).toEqual([{ generation: "2" }]);
  });

  test("says stale once nothing was heard for too long, and revoked all the same", async () => {
    const { backend } = home.site;
    const [good, ended] = [await signUp(backend), await signUp(backend)];
    await using place = openPlace(home.site);
    await backend.auth.logout({ refreshToken: ended.refreshToken });
    await place.mirror.waitUntilCurrent(CURRENT);
    const fresh = await place.check(good);

    await place.mirror.close();
    await until(async () => (await place.check(good, "1 second")) === "stale", SECONDS_MS_MAX);

    expect(fresh).toBe("good");
    expect(await place.check(good)).toBe("good"); // Five minutes are not over.
    expect(await place.check(ended, "1 second")).toBe("revoked");
  });

  test("is fresh after a restart only once what ended meanwhile is in it", async () => {
    const { backend } = home.site;
    const person = await signUp(backend);
    await using place = openPlace(home.site);
    await place.mirror.waitUntilCurrent(CURRENT);
    await place.mirror.close();
    await backend.auth.logout({ refreshToken: person.refreshToken });

    const reopened = createRevocationMirror(place.options);
    await reopened.waitUntilCurrent(CURRENT);
    const answer = await place.check(person);
    await reopened.close();

    expect(answer).toBe("revoked");
  });

  test("knows nothing any more where its rows were dropped, until it is filled again", async () => {
    const { backend } = home.site;
    const person = await signUp(backend);
    await using place = openPlace(home.site);
    await backend.auth.logout({ refreshToken: person.refreshToken });
    await place.mirror.waitUntilCurrent(CURRENT);
    await place.mirror.close();
    await pool.query(`drop table ${place.table}`);

    const reopened = createRevocationMirror(place.options);
    await reopened.waitUntilCurrent(CURRENT);
    const answer = await place.check(person);
    await reopened.close();

    expect(answer).toBe("revoked");
  });
});

describe("an instance", () => {
  test("stands by while another one leads, and follows it", async () => {
    const person = await signUp(home.site.backend);
    await using first = openPlace(home.site);
    await first.mirror.waitUntilCurrent(CURRENT);
    await using second = createRevocationMirror(first.options);
    await statusOf(second, "standby");

    await first.mirror.close();
    await statusOf(second, "live");
    await home.site.backend.auth.logout({ refreshToken: person.refreshToken });

    await until(async () => (await first.check(person)) === "revoked", SECONDS_MS_MAX);
  });

  test("survives the loss of its connection to the database", async () => {
    const person = await signUp(home.site.backend);
    await using place = openPlace(home.site);
    await place.mirror.waitUntilCurrent(CURRENT);

    await place.terminate();
    await home.site.backend.auth.logout({ refreshToken: person.refreshToken });

    await until(async () => (await place.check(person)) === "revoked", SECONDS_MS_MAX);
  });

  test("closes with an error where the table is another Site's", async () => {
    await using place = openPlace(home.site);
    await place.mirror.waitUntilCurrent(CURRENT);
    await place.mirror.close();
    await pool.query(`update ${place.table}_state set site_id = gen_random_uuid()`);

    await using other = createRevocationMirror(place.options);
    const { error } = await statusOf(other, "closed");

    expect(String(error)).toMatch(/the table is for Site .*, not for /);
  });
});

describe("the tables", () => {
  test("are written by nobody else", async () => {
    await using place = openPlace(home.site);
    await place.mirror.waitUntilCurrent(CURRENT);

    for (const statement of [`delete from ${place.table}`, `truncate ${place.table}`]) {
      await expect(pool.query(statement)).rejects.toThrow(/is kept by Signet/);
    }
  });

  test("lose what has expired, and keep the rest", async () => {
    const person = await signUp(home.site.backend);
    await using place = openPlace(home.site);
    await home.site.backend.auth.logout({ refreshToken: person.refreshToken });
    await place.mirror.waitUntilCurrent(CURRENT);
    await place.mirror.close();
    await pool.query(
      `begin; set local signet.mirror = 'on';
       insert into ${place.table} (site_id, kind, subject_id, expire_time)
       values ('${home.site.siteId}', 'session_ended', 'long ago', now() - interval '1 minute');
       commit`,
    );

    await using reopened = createRevocationMirror(place.options);
    const count = async () => {
      const { rows } = await pool.query(`select subject_id from ${place.table}`);
      return rows.map(({ subject_id: id }) => id);
    };
    await until(async () => !(await count()).includes("long ago"), SECONDS_MS_MAX);
    await reopened.close();

    expect(await count()).toContain(person.sessionId);
  });

  test.each(["sid", "sub", "gen", "kid"])("take a token without %s for no token", async (name) => {
    await using place = openPlace(home.site);
    await place.mirror.waitUntilCurrent(CURRENT);
    const claims = { sid: "a", sub: "b", gen: 1, kid: "c" };

    const { rows } = await pool.query(`select ${place.table}_check($1, $2, $3, $4) as answer`, [
      ...Object.values({ ...claims, [name]: null }),
    ]);

    expect(rows).toEqual([{ answer: "malformed" }]);
  });
});

type Mirror = ReturnType<typeof createRevocationMirror>;

/** Reads on until a status of this type. */
async function statusOf<Type extends string>(mirror: Mirror, wanted: Type) {
  for await (const status of mirror.status) {
    if (status.type === wanted) return status as Extract<typeof status, { readonly type: Type }>;
  }
  throw new Error(`it was never ${wanted}`);
}

/** A mirror in tables of its own. */
function openPlace({ key }: TestSite) {
  const table = unique("revocations").replace("-", "_");
  const client = createSignetClient({ url: home.service.url, key });
  const own = new Pool({ connectionString: app.adminUrl, application_name: table });
  own.on("error", () => undefined);
  const options = { client, pool: own, table };
  const mirror = createRevocationMirror(options);
  return {
    table,
    options,
    mirror,
    /** What an app asks, with nothing but SQL. */
    async check({ accessToken }: SignedIn, maxStaleness = "5 minutes"): Promise<string> {
      const { sid, sub, gen } = decodeJwt(accessToken);
      const { kid } = decodeProtectedHeader(accessToken);
      const { rows } = await pool.query<{ answer: string }>(
        `select ${table}_check(sid => $1, sub => $2, gen => $3, kid => $4,
                               max_staleness => $5) as answer`,
        [sid, sub, gen, kid, maxStaleness],
      );
      return rows[0]?.answer ?? "";
    },
    async terminate() {
      await pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
        [table],
      );
    },
    async [Symbol.asyncDispose]() {
      await mirror.close();
      client.close();
      await own.end();
    },
  };
}
