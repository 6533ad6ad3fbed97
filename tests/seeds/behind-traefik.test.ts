import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSignetClient } from "../../src/client/index.ts";
import { describeLinkedTable } from "../conformance/linked-table.ts";
import { logIn, signUp, uniqueEmail } from "../support/builders.ts";
import {
  type DashboardStory,
  OWN_COLUMNS,
  openDashboardStory,
  PEOPLE,
  TABLE,
} from "../support/dashboard-story.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import { blocksBeside } from "../support/guide-example.ts";
import { callWithHeaders, type HeaderList } from "../support/header-call.ts";
import { openTestFolder } from "../support/postgres.ts";
import { type RunningProgram, runProgram } from "../support/programs.ts";
import { startService } from "../support/service.ts";
import { identityIn, spoofedHeaders } from "../support/spoofed-identity.ts";
import { rejection, until } from "../support/waiting.ts";

const [ADMIN, GRACE, EDSGER] = PEOPLE;
const WAIT_MS_MAX = 60_000;
/** Of the lines of Signet's log. */
const ERROR_LEVEL = 50;

let story: DashboardStory;
let mirror: RunningProgram;
let session: Awaited<ReturnType<typeof signInAsAdmin>>;

beforeAll(async () => {
  story = await openDashboardStory();
});

afterAll(async () => {
  await mirror?.stop("SIGKILL");
  await story[Symbol.asyncDispose]();
});

function noteMirror(running: RunningProgram): void {
  mirror = running;
}

/** By the guide's own line. */
async function signInAsAdmin() {
  const answer = (await story.guide.runNext()) as unknown as LoginAnswer;
  return answer.session;
}

interface LoginAnswer {
  readonly session: {
    readonly tokens: { readonly accessToken: string; readonly refreshToken: string };
    readonly user: { readonly id: string };
  };
}

const bearer = (token: string): HeaderList => [["Authorization", `Bearer ${token}`]];

async function isAdmitted(signetUrl: string, token: string): Promise<number> {
  return (await callWithHeaders(`${signetUrl}/forward-auth`, bearer(token))).status;
}

test("the guide shows what the examples have", () => {
  const traefik = readFileSync("examples/traefik/dynamic.yml", "utf8");
  const yaml = blocksOf("behind-traefik", "yaml");

  expect(yaml).toHaveLength(2);
  expect(yaml.filter((block) => !traefik.includes(block))).toEqual([]);
  expect(blocksOf("behind-traefik", "ts")).toHaveLength(1);
  expect(blocksBeside(blocksOf("behind-traefik", "ts"), ["link-users.ts"])).toEqual([]);
});

describeLinkedTable({ story: () => story, noteMirror });

describe("login", () => {
  test("lets each existing user in with the password that they have", async () => {
    const { site, guide } = story;
    const { user } = (await guide.runNext()) as { readonly user?: { readonly id: string } };

    session = await signInAsAdmin();
    const grace = await logIn(site.backend, GRACE.email, GRACE.password);

    expect(session.user.id).toBe(user?.id);
    const linked = await story.rows(`select auth_user_id from ${TABLE} where username = 'admin'`);
    expect(linked).toEqual([{ auth_user_id: user?.id }]);
    expect(decodeJwt(grace.accessToken).sub).not.toBe(user?.id);
  });

  test("refuses a wrong password, an unknown name and a closed account alike", async () => {
    const { backend } = story.site;
    const attempts = [
      [ADMIN.email, GRACE.password],
      [uniqueEmail(), ADMIN.password],
      [EDSGER.email, EDSGER.password],
    ] as const;

    const refusals = [];
    for (const [email, password] of attempts) {
      refusals.push(String(await rejection(logIn(backend, email, password))));
    }

    expect(new Set(refusals).size).toBe(1);
    expect(refusals[0]).toMatch(/unauthenticated/);
  });

  test("gives a signed access token of an hour and a refresh token", async () => {
    const { accessToken, refreshToken } = session.tokens;
    const { iat = 0, exp = 0, iss } = decodeJwt(accessToken);
    const { result } = await story.site.backend.auth.validateToken({ token: accessToken });

    expect(exp - iat).toBe(3600);
    expect(iss).toMatch(new RegExp(`/sites/${story.site.siteId}$`));
    expect(refreshToken).toMatch(/^sgn_rt_/);
    expect(result).toMatchObject({ case: "valid", value: { userId: session.user.id } });
  });

  test("links a row that came later when its owner signs in", async () => {
    const late = await signUp(story.site.backend);
    await story.database.pool.query(`insert into ${TABLE} (email) values ($1)`, [late.email]);
    const words = ["examples/link-users.ts", late.email, late.password];

    const first = await runProgram(process.execPath, words, story.environment);
    const second = await runProgram(process.execPath, words, story.environment);

    expect(JSON.parse(first.stdout)).toEqual({ next: "welcome", outcome: "linked" });
    expect(JSON.parse(second.stdout)).toMatchObject({ outcome: "already_linked" });
    const row = await story.rows(`select auth_user_id from ${TABLE} where email = '${late.email}'`);
    expect(row).toEqual([{ auth_user_id: late.userId }]);
  });

  test("is refreshed, by a token that works once", async () => {
    const used = session.tokens;

    const refreshed = (await story.guide.runNext({
      "refresh token": used.refreshToken,
    })) as unknown as LoginAnswer["session"];
    session = { ...session, tokens: refreshed.tokens };

    expect(refreshed.tokens.refreshToken).not.toBe(used.refreshToken);
    expect(await isAdmitted(story.signet.url, refreshed.tokens.accessToken)).toBe(200);
  });
});

describe("the proxy", () => {
  test("may ask who somebody is, and passes on requests of those who are known", async () => {
    const { guide, site } = story;
    const token = { "access token": session.tokens.accessToken };

    const asked = await guide.runNext(token);
    const seen = await guide.runNext(token);

    expect(asked).toEqual({ status: 200, user: session.user.id });
    expect(seen).toMatchObject({ method: "GET", path: "/tools/health" });
    const answer = { status: 200, headers: {}, body: JSON.stringify(seen) };
    expect(identityIn(answer)).toEqual([
      ["x-site-id", site.siteId],
      ["x-user-email", ADMIN.email],
      ["x-user-id", session.user.id],
      ["x-user-role", "admin,user"],
    ]);
  });

  test("lets nobody else reach the dashboard, nor claim to be somebody", async () => {
    const { dashboard } = story;
    const reached = dashboard.paths.length;
    const grace = await logIn(story.site.backend, GRACE.email, GRACE.password);
    const [spoof] = spoofedHeaders();

    const none = await story.askThrough("/tools/health");
    const bad = await story.askThrough("/tools/health", bearer("x"));
    const claimed = await story.askThrough("/tools/health", spoof?.headers);
    const notAdmin = await story.askThrough("/admin/", bearer(grace.accessToken));
    const reachedBy = dashboard.paths.length - reached;
    const both = [...bearer(grace.accessToken), ...(spoof?.headers ?? [])];
    const identity = identityIn(await story.askThrough("/tools/health", both));

    expect([none, bad, claimed, notAdmin].map(({ status }) => status)).toEqual([
      401, 401, 401, 403,
    ]);
    expect(reachedBy).toBe(0);
    expect(identity).toContainEqual(["x-user-role", "user"]);
    expect(JSON.stringify(identity)).not.toContain("mallory");
  });

  test("refuses a token that has expired", async () => {
    const { signetDatabase, keys } = story;
    const clock = new URL("../support/late-clock.ts", import.meta.url);
    const file = join(await openTestFolder(), "late");
    const env = { NODE_OPTIONS: `--import=${clock}`, LATE_CLOCK_FILE: file };
    await using later = await startService({ databaseUrl: signetDatabase.appUrl, keys, env });
    const { accessToken } = session.tokens;
    const inTime = await isAdmitted(later.url, accessToken);

    await writeFile(file, "");
    const tooLate = await until(async () => {
      const status = await isAdmitted(later.url, accessToken);
      return status === 200 ? undefined : status;
    }, WAIT_MS_MAX);

    expect([inTime, tooLate]).toEqual([200, 401]);
    expect(await isAdmitted(story.signet.url, accessToken)).toBe(200);
  });
});

describe("verification", () => {
  test("finds every row linked to a User who is the same", async () => {
    const { exitCode, stdout } = await story.guide.endNext();

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ linked: 4, dangling: 0, mismatched: 0, shared: 0 });
  });

  test("a logout reaches Signet, the proxy and programs that check by themselves", async () => {
    const { guide, signet, site } = story;
    const { accessToken, refreshToken } = session.tokens;
    using client = openClient();
    const issuer = decodeJwt(accessToken).aud;
    const verifier = client.signet.tokenVerifier({ audience: issuer ?? [] });
    await verifier.verify(accessToken);
    const asked = verifier.counters().asked;

    await guide.runNext({ "refresh token": refreshToken });
    const statuses = [
      await isAdmitted(signet.url, accessToken),
      (await story.askThrough("/tools/health", bearer(accessToken))).status,
    ];
    const local = await until(
      () =>
        verifier.verify(accessToken).then(
          () => undefined,
          (error: unknown) => error,
        ),
      WAIT_MS_MAX,
    );
    const refresh = await rejection(site.backend.auth.refreshToken({ refreshToken }));

    expect(statuses).toEqual([401, 401]);
    expect(local).toMatchObject({ problem: "revoked" });
    expect(verifier.counters()).toMatchObject({ asked, revoked: expect.any(Number) });
    expect(String(refresh)).toMatch(/unauthenticated/);
  });

  test("the audit log tells who signed in, who tried to, and what was changed", async () => {
    const { events } = (await story.guide.runNext()) as unknown as {
      readonly events: readonly { readonly kind: string; readonly subjectId?: string }[];
    };

    const acts = ["session.started", "login.failed", "session.ended", "site.import_ended"];
    const kinds = new Set(events.map(({ kind }) => kind));
    expect(acts.filter((kind) => !kinds.has(kind))).toEqual([]);
  });

  test("neither Signet nor the proxy has logged an error", () => {
    const { signet, proxy } = story;
    const lines = signet.stderr().trim().split("\n");
    const levels = lines.map((line) => (JSON.parse(line) as { readonly level: number }).level);

    expect(levels.length).toBeGreaterThan(10);
    expect(levels.filter((level) => level >= ERROR_LEVEL)).toEqual([]);
    expect(proxy.log()).not.toMatch(/\[(error|crit|alert|emerg)\]|"level":"(error|panic|fatal)"/);
  });
});

test("all of it is taken back: no check at the proxy, no column, the table as it was", async () => {
  const { guide, database } = story;
  const open = await story.askThrough("/public/");

  const undone = await guide.runNext();

  expect(open).toMatchObject({ status: 200 });
  expect(identityIn(open)).toEqual([]);
  expect(undone).toMatchObject({ columnDropped: true });
  await database.pool.query(`delete from ${TABLE} where id > 3`);
  expect(await story.columns()).not.toContain("auth_user_id");
  expect(await story.contents(OWN_COLUMNS)).toBe(story.before);
  expect(guide.left()).toBe(0);
});

function openClient() {
  const signet = createSignetClient({ url: story.signet.url, key: story.site.key });
  return { signet, [Symbol.dispose]: () => signet.close() };
}
