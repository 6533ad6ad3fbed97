import { createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeAbsence, describeBackendAlerts } from "../conformance/backend-alerts.ts";
import { type BackendApp, startBackend } from "../support/backend-app.ts";
import { ADA, type BackendStory, openBackendStory, register } from "../support/backend-story.ts";
import { uniqueEmail } from "../support/builders.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import { blocksBeside, type RunningExample, startExample } from "../support/guide-example.ts";
import { type RunningProgram, startSignet } from "../support/programs.ts";
import { freePort } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const PASSWORD = "seven brisk herons wade";
const WAIT_MS_MAX = 60_000;

let story: BackendStory;
let app: BackendApp;
let leader: RunningProgram;

beforeAll(async () => {
  story = await openBackendStory();
});

afterAll(async () => {
  await leader?.stop("SIGKILL");
  await app?.[Symbol.asyncDispose]();
  await story[Symbol.asyncDispose]();
});

/** What each side holds of whom it knows, as far as the story changes it. */
async function usersAtSignet() {
  const { users } = await story.site.backend.users.listUsers({ pageSize: 500 });
  return users.map(({ id, version, email, displayName }) =>
    [id, version, email, displayName].join(" "),
  );
}

async function usersIn({ pool }: Pick<BackendStory["database"], "pool">) {
  const { rows } = await pool.query(
    `select concat_ws(' ', id, version, email, coalesce(display_name, '')) as line
       from userbase where not deleted order by id`,
  );
  return rows.map(({ line }) => line);
}

describe("two databases", () => {
  test("the guide shows code of its example", () => {
    const blocks = blocksOf("master-and-mirror", "ts").flatMap((block) => block.split("\n\n"));

    expect(blocks).toHaveLength(2);
    expect(blocksBeside(blocks, ["mirrored-backend.ts"])).toEqual([]);
  });

  test("the backend's has a copy of the Users, columns of its own, and no secret", async () => {
    const { guide, database, environment } = story;

    const filled = await guide.endNext();
    await database.addOwnColumns();
    const checked = await guide.runNext();
    const [row] = await story.rows("select row_to_json(u)::text as text from userbase u");

    expect(filled).toMatchObject({ exitCode: 0 });
    expect(checked).toMatchObject({ verdict: "ok" });
    expect(row?.text).toContain(ADA.email);
    expect(row?.text).toContain('"plan_tier":"free"');
    expect(row?.text).not.toMatch(/argon2|password_hash|totp|secret/i);

    // Another instance leads from here on, so that what this one fetches by itself is seen.
    const words = ["--to", database.url, "--table", "public.userbase", "--no-revocations"];
    leader = startSignet(["sync", "mirror", ...words], environment);
    await leader.output.waitFor(/^users: live$/m, "the leading instance");
    app = await startBackend(environment);
    environment.APP_URL = app.url;
  });
});

describe("who is who", () => {
  test("a User whom the copy lacks is fetched when signing in, on a new plan", async () => {
    const grace = { email: uniqueEmail(), password: PASSWORD };
    leader.signal("SIGSTOP");
    const userId = await register(story.site.backend, grace);
    expect(await story.rows("select from userbase where id = $1", [userId])).toEqual([]);

    const { status, user, token } = await app.signIn(grace);
    const me = await app.ask("/me", token);
    await leader.stop("SIGKILL");

    const defaults = { plan_tier: "free", app_role: "standard_user", theme: "light" };
    expect({ status, user }).toEqual({
      status: 200,
      user: { id: userId, email: grace.email, ...defaults },
    });
    expect(me).toEqual({ status: 200, json: user });
  });

  test("a User is created by Signet, with the defaults in the same transaction", async () => {
    const { user } = await story.site.backend.users.createUser({ email: uniqueEmail() });

    const row = await until(async () => {
      const read = `select u.plan_tier, u.feature_flags, u.xmin = s.xmin as same_transaction
                      from userbase u join settings s on s.user_id = u.id where u.id = $1`;
      const rows = await story.rows(read, [user?.id]);
      return rows[0];
    }, WAIT_MS_MAX);

    expect(row).toEqual({ plan_tier: "free", feature_flags: {}, same_transaction: true });
  });

  test("Signet alone tells whether a password is right, and what a token is worth", async () => {
    const { guide } = story;

    const login = (await guide.runNext()) as { readonly accessToken: string };
    const me = await guide.runNext({ "access token": login.accessToken });
    const wrong = await app.signIn({ ...ADA, password: PASSWORD });
    const refused = await Promise.all(
      ["", "x", `${login.accessToken}x`].map((t) => app.ask("/me", t)),
    );

    expect(me).toMatchObject({ email: ADA.email, plan_tier: "free" });
    expect(wrong.status).toBe(401);
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401]);
  });

  test("the backend changes its own columns, and Signet's Changes leave them alone", async () => {
    const { guide, site } = story;
    const { token, user } = await app.signIn(ADA);

    const upgraded = await guide.runNext({ "access token": token });
    await site.backend.users.updateUser({ userId: user.id, displayName: "Ada King" });
    await until(async () => {
      const rows = await story.rows("select from userbase where display_name = 'Ada King'");
      return rows.length === 1;
    }, WAIT_MS_MAX);

    expect(upgraded).toMatchObject({ plan_tier: "premium" });
    expect((await app.ask("/me", token)).json).toMatchObject({ plan_tier: "premium" });
  });

  test("passwords and addresses are changed at Signet, and the address follows", async () => {
    const person = { email: uniqueEmail(), password: PASSWORD };
    const userId = await register(story.site.backend, person);
    const { token } = await app.signIn(person);
    const [email, newPassword] = [uniqueEmail(), "nine calm badgers dig"];

    const change = { currentPassword: PASSWORD, newPassword };
    const changed = await app.ask("/password", token, change);
    await story.site.backend.users.updateUser({ userId, email, emailVerified: true });
    const [before, after] = [
      await app.signIn(person),
      await app.signIn({ email, password: newPassword }),
    ];

    expect(changed.status).toBe(204);
    expect([before.status, after.status]).toEqual([401, 200]);
    const held = "select from userbase where id = $1 and email = $2";
    await until(async () => (await story.rows(held, [userId, email])).length === 1, WAIT_MS_MAX);
  });
});

describe("three ways for a Change to arrive", () => {
  let receiver: RunningExample;
  let secret: string;

  beforeAll(async () => {
    const { guide, site, hooked, environment } = story;
    const port = `${await freePort()}`;
    const named = { "receiver url": `http://127.0.0.1:${port}/hook`, "site id": site.siteId };
    secret = String((await guide.runNext(named)).secret);
    const own = { MIRROR_DATABASE_URL: hooked.url, WEBHOOK_SECRETS: secret, PORT: port };
    receiver = await startExample("webhook-mirror", { ...environment, ...own });
  });

  afterAll(() => receiver[Symbol.asyncDispose]());

  test("who is created, updated and deleted is so by stream, webhook and job", async () => {
    const { guide, site, database, hooked, nightly } = story;
    const { users } = site.backend;
    const [kept, gone] = [await createUser(), await createUser()];
    await until(async () => (await usersIn(hooked)).length === (await usersAtSignet()).length);

    await createUser();
    await users.updateUser({ userId: kept, displayName: "Kept" });
    await users.deleteUser({ userId: gone });
    const wanted = JSON.stringify(await usersAtSignet());
    for (const each of [database, hooked]) {
      await until(async () => JSON.stringify(await usersIn(each)) === wanted, WAIT_MS_MAX);
    }
    const { exitCode } = await guide.endNext();

    expect(exitCode).toBe(0);
    expect(JSON.stringify(await usersIn(nightly))).toBe(wanted);
    expect(wanted).toContain("Kept");
    expect(wanted).not.toContain(gone);
  });

  test("a request that Signet has not signed, or long ago, changes nothing", async () => {
    const { hooked } = story;
    const before = await usersIn(hooked);
    const [id = ""] = (before[0] ?? "").split(" ");
    const user = { id, version: "99", email: "mallory@example.com" };
    const body = JSON.stringify({ type: "user.updated", change: { user } });
    const [now, longAgo] = [Math.floor(Date.now() / 1_000), 1_600_000_000];
    const other = `whsec_${randomBytes(32).toString("base64")}`;

    const statuses = await Promise.all(
      [{}, signed(body, other, now), signed(body, secret, longAgo)].map(async (headers) => {
        const request = { method: "POST", headers, body };
        return (await fetch(`${receiver.url}/hook`, request)).status;
      }),
    );

    expect(statuses).toEqual([400, 400, 400]);
    expect(await usersIn(hooked)).toEqual(before);
  });

  async function createUser(): Promise<string> {
    const { user } = await story.site.backend.users.createUser({ email: uniqueEmail() });
    return user?.id ?? "";
  }

  function signed(body: string, by: string, time: number): Record<string, string> {
    const key = Buffer.from(by.replace("whsec_", ""), "base64");
    const mac = createHmac("sha256", key).update(`evt_1.${time}.${body}`).digest("base64");
    return {
      "webhook-id": "evt_1",
      "webhook-timestamp": `${time}`,
      "webhook-signature": `v1,${mac}`,
    };
  }
});

const running = { story: () => story, app: () => app };
describeBackendAlerts(running);
describe("Signet is away", () => describeAbsence(running));
