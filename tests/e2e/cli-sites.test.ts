import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logIn, signUp, unique } from "../support/builders.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

let running: SiteOnService;

beforeAll(async () => {
  running = await openSiteOnService();
});

afterAll(() => running[Symbol.asyncDispose]());

function signet(words: readonly string[], reply?: boolean | string, key?: string) {
  const { url, operatorKey } = running.service;
  return runSignet(words, { SIGNET_URL: url, SIGNET_KEY: key ?? operatorKey }, reply);
}

async function answerOf(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await signet([...words, "--json"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
}

async function createSite(name: string, ...options: readonly string[]) {
  const url = ["--frontend-url", "https://shop.example.com"];
  return (await answerOf("site", "create", "--name", name, ...url, ...options)).site;
}

describe("signet site list", () => {
  test("lists Sites by prefix and domain, page after page", async () => {
    const name = unique("Shop");
    const domain = `${name.toLowerCase()}.example.com`;
    const created = [
      await createSite(`${name} 1`, "--domain", domain),
      await createSite(`${name} 2`),
      await createSite(`${name} 3`),
    ];
    const byName = ["site", "list", "--name-prefix", name.toLowerCase()];

    const whole = await answerOf(...byName);
    const first = await answerOf(...byName, "--limit", "2");
    const rest = await answerOf(...byName, "--page-token", first.nextPageToken);
    const byDomain = await answerOf("site", "list", "--domain", domain.toUpperCase());
    const table = await signet([...byName, "--limit", "1"]);

    expect(whole).toEqual({ sites: created, nextPageToken: "" });
    expect([...first.sites, ...rest.sites]).toEqual(created);
    expect(byDomain.sites).toEqual([created[0]]);
    expect(table.stdout).toMatch(/^ID +NAME +DOMAINS +FRONT END +CREATED\n/);
    expect(table.stdout).toMatch(/\n\nThere are more: --limit shows them\.\n$/);
    expect((await signet(["site", "list", "--domain", "no.example.com"])).stdout).toBe(
      "There are no such Sites.\n",
    );
  });
});

describe("signet site update", () => {
  test("changes what is given, and nothing else", async () => {
    const before = await createSite("Blog", "--origin", "https://a.example.com");
    const changes = ["--name", "Weblog", "--mfa-policy", "required", "--no-self-registration"];

    const { site } = await answerOf("site", "update", before.id, ...changes, "--no-origins");

    const changed = { name: "Weblog", mfaPolicy: "MFA_POLICY_REQUIRED", selfRegistration: false };
    const { version, updateTime } = site;
    expect(site).toEqual({ ...before, ...changed, origins: [], version, updateTime });
    expect(BigInt(version)).toBeGreaterThan(BigInt(before.version));
  });

  test("changes one lifetime and one part of the mail sender, and leaves the others", async () => {
    const sender = ["--mail-address", "shop@example.com", "--mail-name", "Shop"];
    const { id } = await createSite("Shop", "--lifetime", "invitation=7200", ...sender);
    const changes = ["--lifetime", "access-token=600", "--mail-name", "The Shop"];

    const { site } = await answerOf("site", "update", id, ...changes);

    expect(site.lifetimes).toMatchObject({ accessTokenSeconds: 600, invitationSeconds: 7200 });
    expect(site.mailSender).toEqual({ address: "shop@example.com", name: "The Shop" });
  });

  test("is refused where the Site is at another version, with what to do", async () => {
    const { id } = await createSite("Blog");

    const words = ["site", "update", id, "--name", "X", "--expected-version", "999"];
    const { exitCode, stderr } = await signet(words);

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/VERSION_MISMATCH.*; look at it as it is now/);
  });

  test("names the flag of a field that is wrong", async () => {
    const { id } = await createSite("Blog");

    const list = await signet(["site", "update", id, "--domain", "not a host"]);
    const lifetime = await signet(["site", "update", id, "--lifetime", "access-token=5"]);

    expect(list.stderr).toMatch(/^signet: --domain must be .* \(INVALID_FIELD, domains.*\)\n$/);
    expect(lifetime.stderr).toMatch(/^signet: --lifetime must be from 60 to 3600 /);
  });
});

describe("signet site delete", () => {
  test("wants the name typed, and says how many Users are at stake", async () => {
    const { siteId } = running.site;
    await signUp(running.site.backend);
    const { site } = await answerOf("site", "get", siteId);

    const nobody = await signet(["site", "delete", siteId]);
    const wrong = await signet(["site", "delete", siteId], "Blog");

    expect(nobody).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("add --yes") });
    expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
    expect(wrong.stderr).toContain(`the Site ${site.name} (${siteId}) and its 1 Users for good`);
    expect((await answerOf("site", "get", siteId)).site).toEqual(site);
  });

  test("closes the Site, whose Users are gone soon after", async () => {
    const { id } = await createSite("Gone");
    await answerOf("user", "create", "--site", id, "--email", "ada@example.com");

    const closed = await signet(["site", "delete", id], "Gone");
    const gone = await until(async () => {
      const again = await signet(["site", "delete", id, "--yes"]);
      return again.exitCode === 0 && !again.stdout.includes("is deleted") ? undefined : again;
    }, 60_000);

    expect(closed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^The Site is/) });
    expect(gone.stdout + gone.stderr).toMatch(/is deleted|SITE_NOT_FOUND/);
  });

  test("is refused while the Site is protected, with what to do", async () => {
    const { id } = await createSite("Kept", "--deletion-protected");

    const refused = await signet(["site", "delete", id, "--yes"]);
    await answerOf("site", "update", id, "--no-deletion-protected");
    const closed = await signet(["site", "delete", id, "--yes"]);

    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.stderr).toMatch(/DELETION_PROTECTED.*--no-deletion-protected/);
    expect(closed).toMatchObject({ exitCode: 0 });
  });
});

describe("signet key --operator", () => {
  test("makes an operator key that works, lists it, and revokes it", async () => {
    const label = unique("deployments");

    const { apiKey, secret } = await answerOf("key", "create", "--operator", "--label", label);
    const sites = await signet(["site", "list"], undefined, secret);
    const listed = await signet(["key", "list", "--operator"]);
    await answerOf("key", "revoke", apiKey.id, "--yes");

    expect(secret).toMatch(/^sgn_op_[\w-]{43}$/);
    expect(sites).toMatchObject({ exitCode: 0, stderr: "" });
    expect(listed.stdout).toMatch(new RegExp(`^${apiKey.id} +${label} +operator `, "m"));
    await until(async () => (await signet(["site", "list"], undefined, secret)).exitCode === 1);
  });
});

describe("signet signing-key", () => {
  test("lists keys without a change, and rotates them once caches have the next", async () => {
    const { id } = await createSite("Blog");
    const site = ["--site", id];

    const before = await answerOf("signing-key", "list", ...site);
    const again = await answerOf("signing-key", "list", ...site);
    const asked = await signet(["signing-key", "rotate", ...site]);

    const states = before.signingKeys.map(({ state }: { state: string }) => state);
    expect(states).toEqual(["SIGNING_KEY_STATE_CURRENT", "SIGNING_KEY_STATE_NEXT"]);
    expect(again).toEqual(before);
    expect(asked.stdout).toMatch(/^ID +ALGORITHM +STATE +PUBLISHED/);
    expect(asked.stdout).toMatch(/\n\nThe next key signs from .+ UTC on\.\n$/);
  });

  test("withdraws keys only after a yes; a repeat for the same key does nothing", async () => {
    const { siteId, backend } = running.site;
    const { email, password } = await signUp(backend);
    const site = ["--site", siteId];
    const [current] = (await answerOf("signing-key", "list", ...site)).signingKeys;
    const withdraw = ["signing-key", "rotate", ...site, "--current", current.id, "--withdraw"];

    const declined = await signet(withdraw, false);
    const done = await answerOf(...withdraw, "--yes");
    const repeated = await answerOf(...withdraw, "--yes");

    expect(declined).toMatchObject({ exitCode: 2 });
    expect(done.signingKeys[0].id).not.toBe(current.id);
    expect(repeated.signingKeys[0].id).toBe(done.signingKeys[0].id);
    expect(await logIn(backend, email, password)).toBeDefined();
  });
});
