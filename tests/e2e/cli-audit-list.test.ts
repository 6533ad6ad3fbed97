import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grpcClients, type SignedIn, signUp, unique } from "../support/builders.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let running: SiteOnService;
let ada: SignedIn;

beforeAll(async () => {
  running = await openSiteOnService();
  const { backend } = running.site;
  ada = await signUp(backend);
  await signUp(backend);
  await grpcClients(running.service.url, ada.accessToken).auth.revokeAllSessions({});
  await backend.users.updateUser({ userId: ada.userId, username: "ada" });
});

afterAll(() => running[Symbol.asyncDispose]());

function signet(words: readonly string[], key = running.site.key) {
  return runSignet(["audit", "list", ...words], {
    SIGNET_URL: running.service.url,
    SIGNET_KEY: key,
  });
}

async function eventsOf(...words: readonly string[]): Promise<{ readonly kind: string }[]> {
  const { exitCode, stdout, stderr } = await signet([...words, "--json"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout).events;
}

describe("signet audit list", () => {
  test("shows who did what, the newest first, and that there is more", async () => {
    const { stdout } = await signet(["--limit", "1"]);

    expect(stdout).toMatch(/^NUMBER +TIME +KIND +BY +TO +FACTS\n/);
    expect(stdout).toMatch(/^\d+ +.+ UTC +user\.updated +site_key .+ user .+$/m);
    expect(stdout).toMatch(/\n\nThere are more: --limit shows them\.\n$/);
  });

  test("finds by subject and actor, also named by address or username, and by kind", async () => {
    const byId = await eventsOf("--subject", ada.userId);
    const byEmail = await eventsOf("--subject", ada.email);
    const byUsername = await eventsOf("--subject", "username:ada");
    const byActor = await eventsOf("--actor", ada.email);
    const byKind = await eventsOf("--kind", "user.updated", "--kind", "user.registered");

    expect(byId.map(({ kind }) => kind)).toContain("user.registered");
    expect([byEmail, byUsername]).toEqual([byId, byId]);
    expect(byActor.map(({ kind }) => kind)).toEqual(["session.all_revoked"]);
    expect(byKind.map(({ kind }) => kind)).toEqual([
      "user.updated",
      "user.registered",
      "user.registered",
    ]);
  });

  test("finds by time, and goes on where a list has ended", async () => {
    const since = ["--since", "2020-01-31", "--oldest-first"];
    const whole = await eventsOf(...since, "--limit", "1000");
    const first = JSON.parse((await signet([...since, "--limit", "3", "--json"])).stdout);
    const rest = await eventsOf(...since, "--page-token", first.nextPageToken);

    expect(await eventsOf("--until", "1h")).toEqual([]);
    expect(whole.length).toBeGreaterThan(6);
    expect(first.events).toHaveLength(3);
    expect([...first.events, ...rest]).toEqual(whole);
    expect(await eventsOf("--since", "1h", "--limit", "1000")).toHaveLength(whole.length);
  });

  test("shows an operator what concerns no Site", async () => {
    const { operatorKey } = running.service;
    const label = unique("deployments");
    const environment = { SIGNET_URL: running.service.url, SIGNET_KEY: operatorKey };
    await runSignet(["key", "create", "--operator", "--label", label], environment);

    const mine = await signet(["--without-site"], operatorKey);
    const refused = await signet(["--without-site"]);

    expect(mine.stdout).toMatch(/operator_key\.created|api_key\.created/);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
  });
});
