import { randomUUID } from "node:crypto";
import { Pool } from "pg";
import { describe, expect, test } from "vitest";
import { MirrorState, SyncProblemKind } from "../../gen/signet/v1/change_pb.ts";
import type { VerifiedWebhook } from "../../src/client/webhook.ts";
import { type BackendApp, startBackend } from "../support/backend-app.ts";
import { ADA, type BackendStory } from "../support/backend-story.ts";
import { uniqueEmail } from "../support/builders.ts";
import { runSignet } from "../support/programs.ts";
import { rejection, until } from "../support/waiting.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

/** What is running; only within a test. */
export interface RunningBackend {
  story(): BackendStory;
  app(): BackendApp;
}

const WAIT_MS_MAX = 60_000;

/** Describes what goes wrong beside a backend, who hears of it, and what helps. */
export function describeBackendAlerts(running: RunningBackend): void {
  describe("what somebody has to hear of", () => {
    describeDrift(running);
    describeFailingWebhook(running);
    describeForbiddenWrites(running);
  });
}

function describeDrift({ story, app }: RunningBackend): void {
  test("a copy that reports one User too few is unhealthy at Signet, too", async () => {
    const { guide, site } = story();
    const { sync } = site.backend;
    await until(async () => (await app().ask("/health")).status === 200, WAIT_MS_MAX);
    const healthy = await guide.runNext();
    const { health } = await sync.getSyncHealth({});
    const { epoch = 1, head: position = 0n, sums } = health ?? {};
    const tooFew = { count: (sums?.count ?? 0n) - 1n, xor: sums?.xor ?? 0n };
    const id = randomUUID();
    const state = MirrorState.LIVE;
    const place = { epoch, position, sums: tooFew, ...(sums && { checkpointSums: sums }) };
    await sync.reportMirror({ id, name: "reports", state, ...place });
    await until(
      async () => (await problemsOf(story())).includes(SyncProblemKind.MIRROR_DIVERGED),
      WAIT_MS_MAX,
    );

    const { exitCode, stdout } = await guide.endNext();
    await sync.deleteMirror({ id });
    await until(async () => (await problemsOf(story())).length === 0, WAIT_MS_MAX);

    expect(healthy).toMatchObject({ healthy: true, problems: 0 });
    expect(exitCode).toBe(4);
    expect(stdout).toContain("SYNC_PROBLEM_KIND_MIRROR_DIVERGED");
    expect(await app().ask("/health")).toMatchObject({ status: 200 });
  });

  test("a drift of one User is not healthy, is found, and is put right", async () => {
    const { guide, database } = story();
    const before = await app().ask("/health");
    const [lost] = await story().rows("select id from userbase where email = $1", [ADA.email]);
    await database.pool.query(
      `begin; set local signet.mirror = 'on'; delete from settings where user_id = '${lost?.id}';
       delete from userbase where id = '${lost?.id}'; commit`,
    );

    const ill = await app().ask("/health");
    const repaired = await guide.runNext();
    const cured = await until(async () => {
      const answer = await app().ask("/health");
      return answer.status === 200 ? answer : undefined;
    }, WAIT_MS_MAX);

    const { there } = (before.json as { readonly users: { readonly there: number } }).users;
    const here = there - 1;
    expect(before).toMatchObject({
      status: 200,
      json: { users: { there, here: there, missing: 0, stale: 0, extra: 0 } },
    });
    expect(ill).toMatchObject({
      status: 503,
      json: { healthy: false, users: { there, here, missing: 1 } },
    });
    expect(repaired).toMatchObject({ missing: 1, repaired: 1 });
    expect(cured.json).toMatchObject({ users: { there, here: there, missing: 0 } });
    expect((await app().signIn(ADA)).user).toMatchObject({ plan_tier: "free", theme: "light" });
  });
}

function describeFailingWebhook({ story, app }: RunningBackend): void {
  test("a webhook that fails is told of, and what it has missed is sent again", async () => {
    const { guide, site, operator } = story();
    await using receiver = await startReceiver();
    receiver.react((_received, response) => response.writeHead(410).end());
    const { siteId } = site;
    const { webhook, secret } = await operator.sync.createWebhook({ siteId, url: receiver.url });
    receiver.secrets.push(secret);
    const id = webhook?.id ?? "";
    const { user } = await site.backend.users.createUser({ email: uniqueEmail() });
    await until(
      async () => (await problemsOf(story())).includes(SyncProblemKind.WEBHOOK_DISABLED),
      WAIT_MS_MAX,
    );
    const ill = await app().ask("/health");

    receiver.react(undefined);
    const named = { "webhook id": id, "site id": siteId };
    const tested = await guide.runNext(named);
    await operator.sync.updateWebhook({ siteId, id, enabled: true, skipBacklog: true });
    const { deliveries } = await guide.runNext(named);
    await guide.runNext(named);
    const isOfUser = ({ event }: VerifiedWebhook) => event.change?.user?.id === user?.id;
    await until(() => receiver.accepted.some(isOfUser), WAIT_MS_MAX);

    expect(ill).toMatchObject({ status: 503, json: { healthy: false } });
    expect(tested).toMatchObject({ attempt: { httpStatus: 204 } });
    expect(deliveries).toMatchObject([{ state: "WEBHOOK_DELIVERY_STATE_DEAD" }]);
    expect(receiver.refusals).toEqual([]);
    expect(guide.left()).toBe(0);
    await until(async () => (await problemsOf(story())).length === 0, WAIT_MS_MAX);
  });
}

function describeForbiddenWrites({ story, app }: RunningBackend): void {
  test("writes to what Signet owns are refused, and a place for secrets is found", async () => {
    const { database, environment } = story();
    const asBackend = new Pool({ connectionString: database.backendUrl });
    const forbidden = [
      "update userbase set email = 'mallory@example.com'",
      "insert into userbase (id, version) values (gen_random_uuid(), 1)",
      "delete from userbase",
      "alter table userbase add column password_hash text",
    ];

    const walls = await Promise.all(
      forbidden.map(async (each) => String(await rejection(asBackend.query(each)))),
    );
    const fences = [];
    for (const each of forbidden.slice(0, 3))
      fences.push(String(await rejection(story().rows(each))));
    await asBackend.end();
    const ill = await app().ask("/health");
    await database.pool.query("alter table userbase add column password_hash text");
    const where = ["--mirror", database.url, "--table", "public.userbase", "--json"];
    const doctor = await runSignet(["doctor", ...where], environment);
    await database.pool.query("alter table userbase drop column password_hash");

    expect(walls).toEqual(forbidden.map(() => expect.stringMatching(/permission denied|owner/)));
    expect(fences).toEqual(Array(3).fill(expect.stringMatching(/signet/i)));
    expect(ill.json).toMatchObject({ foreignWrites: 3 });
    expect(doctor).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining("looks like a secret: password_hash"),
    });
  });
}

/** Describes what holds while nobody can ask Signet. */
export function describeAbsence({ story, app }: RunningBackend): void {
  test("known tokens hold for a while, then nobody gets in until it is back", async () => {
    const { environment } = story();
    const hasty = { ...environment, VALIDATION_SECONDS: "1" };
    await using impatient = await startBackend(hasty);
    const { token } = await app().signIn(ADA);
    const known = await Promise.all([app().ask("/me", token), impatient.ask("/me", token)]);

    await story().crash();
    const cached = await app().ask("/me", token);
    const closed = await until(async () => {
      const answer = await impatient.ask("/me", token);
      return answer.status === 200 ? undefined : answer;
    }, WAIT_MS_MAX);
    const login = await app().signIn(ADA);
    const health = await app().ask("/health");
    const status = await runSignet(["sync", "status", "--check"], environment);
    await impatient.program.output.waitFor(/^refused /m, "the refusal");
    await story().restart();
    const again = await until(async () => {
      const answer = await impatient.ask("/me", token);
      return answer.status === 200 ? answer : undefined;
    }, WAIT_MS_MAX);

    expect(known.map(({ status: each }) => each)).toEqual([200, 200]);
    expect(cached.json).toMatchObject({ email: ADA.email });
    expect([closed.status, login.status, health.status]).toEqual([503, 503, 503]);
    expect(status.exitCode).toBe(1);
    expect(again.json).toEqual(cached.json);
  });
}

async function problemsOf({ site }: BackendStory): Promise<SyncProblemKind[]> {
  const { health } = await site.backend.sync.getSyncHealth({});
  return (health?.problems ?? []).map(({ kind }) => kind);
}
