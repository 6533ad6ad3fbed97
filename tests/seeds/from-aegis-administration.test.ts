import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { grpcClients, logIn, refusal, unique, uniqueEmail } from "../support/builders.ts";
import { freePort, runService } from "../support/service.ts";
import { openTenants, type Tenant, type Tenants } from "../support/tenants.ts";
import { until } from "../support/waiting.ts";

let opened: Tenants;
let shop: Tenant;
let blog: Tenant;

beforeAll(async () => {
  opened = await openTenants();
  ({ first: shop, second: blog } = opened);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("an operator at the command line", () => {
  test("creates, lists, shows and changes Sites, and leaves alone what is not named", async () => {
    const { signet } = opened;
    const url = `https://${unique("new")}.example.com/account`;
    const made = ["site", "create", "--name", "New", "--frontend-url", url];
    const { site } = await signet(...made, "--mail-address", "hello@new.example.com");
    const { id } = site as { readonly id: string };

    const listed = await signet("site", "list");
    const updated = await signet("site", "update", id, "--mail-name", "Support", "--name", "Newer");
    const shown = await signet("site", "get", id);

    const ids = (listed.sites as { readonly id: string }[]).map((each) => each.id);
    expect(ids).toEqual(expect.arrayContaining([id, shop.siteId, blog.siteId]));
    expect(updated.site).toMatchObject({ name: "Newer", frontendUrl: url });
    expect(shown.site).toEqual(updated.site);
    const mailSender = { address: "hello@new.example.com", name: "Support" };
    expect(shown.site).toMatchObject({ mailSender, redirectUrls: [] });
  });

  test("alone may do so: a site key, a User and nobody are refused", async () => {
    const { service } = opened;
    const person = await opened.signUp(shop);
    const { accessToken } = await logIn(shop.backend, person.email, person.password);
    const callers = [shop.backend, grpcClients(service.url, accessToken), grpcClients(service.url)];

    const refusals = await Promise.all(
      callers.flatMap(({ sites }) => [
        refusal(sites.createSite({ name: "Mine", frontendUrl: "https://mine.example.com" })),
        refusal(sites.listSites({})),
        refusal(sites.updateSite({ siteId: shop.siteId, domains: { domains: [] } })),
      ]),
    );

    expect(new Set(refusals.map(({ code }) => code))).toEqual(
      new Set(["PermissionDenied", "Unauthenticated"]),
    );
    expect(await opened.signet("site", "get", "--domain", shop.domain)).toMatchObject({
      site: { id: shop.siteId },
    });
  });

  test("creates Users and admins, lists them, and has a verification sent again", async () => {
    const { signet, mailTo } = opened;
    const [user, admin] = [uniqueEmail(), uniqueEmail()];
    const at = ["--site", blog.siteId];

    await signet("user", "create", "--email", user, ...at);
    await signet("user", "invite", "--email", admin, "--role", "admin", "--role", "user", ...at);
    await signet("user", "resend-verification", user, ...at);

    const { users } = await signet("user", "list", ...at);
    expect(users).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ email: user, roles: ["user"], emailVerified: false }),
        expect.objectContaining({ email: admin, roles: ["admin", "user"] }),
      ]),
    );
    const { token } = await mailTo(user);
    const password = unique("four quiet otters");
    await blog.backend.auth.verifyEmail({ token, password });
    expect(await logIn(blog.backend, user, password)).toMatchObject({
      accessToken: expect.any(String),
    });
  });

  test("cannot delete what is protected, and has keys that can be taken back", async () => {
    const { signet, refusedSignet, service } = opened;
    await signet("site", "update", shop.siteId, "--deletion-protected");
    const email = uniqueEmail();
    await signet("user", "create", "--email", email, "--site", shop.siteId, "--deletion-protected");
    const made = await signet("key", "create", "--operator", "--label", "deployments");
    const { secret, apiKey } = made as unknown as {
      readonly secret: string;
      readonly apiKey: { readonly id: string };
    };
    const deployments = grpcClients(service.url, secret);
    const before = await deployments.sites.listSites({});

    const site = await refusedSignet("site", "delete", shop.siteId, "--yes");
    const user = await refusedSignet("user", "delete", email, "--site", shop.siteId, "--yes");
    await signet("key", "revoke", apiKey.id, "--yes");
    // Revoked within a second, wherever the next call comes to.
    const revoked = await until(() => refusal(deployments.sites.listSites({})));

    expect([site, user]).toEqual(Array(2).fill(expect.stringContaining("DELETION_PROTECTED")));
    expect(before.sites.length).toBeGreaterThan(1);
    expect(revoked.code).toBe("Unauthenticated");
  });
});

describe("an admin of a Site", () => {
  test("keeps its Users by a token of their own, and those of no other Site", async () => {
    const { admin, person } = await adminOf(shop);
    const stranger = await opened.signUp(blog);

    const { users } = await admin.users.listUsers({ filter: { role: "admin" } });
    const { user } = await admin.users.updateUser({
      userId: person.userId,
      roles: { roles: ["user", "editor"] },
    });
    const foreign = await refusal(admin.users.getUser({ userId: stranger.userId }));
    const { accessToken } = await logIn(shop.backend, person.email, person.password);
    const asUser = grpcClients(opened.service.url, accessToken);
    const refused = await refusal(asUser.users.listUsers({}));

    expect(users.length).toBeGreaterThan(0);
    expect(user?.roles).toEqual(["editor", "user"]);
    expect(foreign.reason).toBe("USER_NOT_FOUND");
    expect(refused.reason).toBe("ACCESS_DENIED");
  });

  test("stays while nobody else is one: not demoted, disabled or deleted, by nobody", async () => {
    const { operator } = opened;
    const { site } = await operator.sites.createSite({
      name: "Alone",
      frontendUrl: "https://alone.example.com",
    });
    const siteId = site?.id ?? "";
    const email = uniqueEmail();
    const roles = { roles: ["admin", "user"] };
    const { user } = await operator.users.createUser({ siteId, email, roles: roles.roles });
    const one = { siteId, userId: user?.id ?? "" };

    const refusals = await Promise.all([
      refusal(operator.users.updateUser({ ...one, roles: { roles: ["user"] } })),
      refusal(operator.users.disableUser(one)),
      refusal(operator.users.deleteUser(one)),
    ]);
    await operator.users.createUser({ siteId, email: uniqueEmail(), roles: roles.roles });
    const { user: demoted } = await operator.users.updateUser({
      ...one,
      roles: { roles: ["user"] },
    });

    expect(refusals.map(({ reason }) => reason)).toEqual(Array(3).fill("LAST_ADMIN"));
    expect(demoted?.roles).toEqual(["user"]);
  });
});

/** Makes somebody an admin, and returns calls by their token. */
async function adminOf(tenant: Tenant) {
  const { operator, service, signUp } = opened;
  const [boss, person] = [await signUp(tenant), await signUp(tenant)];
  const { siteId } = tenant;
  await operator.users.updateUser({
    siteId,
    userId: boss.userId,
    roles: { roles: ["admin", "user"] },
  });
  const { accessToken } = await logIn(tenant.backend, boss.email, boss.password);
  return { admin: grpcClients(service.url, accessToken), person };
}

describe("the service", () => {
  test("does not start where its secrets are missing, or anybody could guess them", async () => {
    const base = { PORT: `${await freePort()}`, DATABASE_URL: opened.database.appUrl };
    const weak = { SIGNET_OPERATOR_KEY: "changeme", SIGNET_MASTER_KEYS: "1:Y2hhbmdlbWU=" };

    const ends = [await runService(base), await runService({ ...base, ...weak })];

    expect(ends.map(({ exitCode }) => exitCode)).toEqual([2, 2]);
    for (const { stderr } of ends) {
      expect(stderr).toMatch(/SIGNET_OPERATOR_KEY/);
      expect(stderr).toMatch(/SIGNET_MASTER_KEYS/);
      expect(stderr).not.toContain("changeme");
    }
  });

  test("tells a health check that it is well, and writes a log that programs read", async () => {
    const { url, stderr } = opened.service;

    const probes = await Promise.all(["healthz", "readyz"].map((path) => fetch(`${url}/${path}`)));

    expect(probes.map(({ status }) => status)).toEqual([200, 200]);
    const lines = stderr().trim().split("\n");
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      lines.map(() => expect.objectContaining({ level: expect.any(Number) })),
    );
  });

  test("comes as an image that is not root's, beside a database that is waited for", async () => {
    const dockerfile = readFileSync("Dockerfile", "utf8");
    const { services } = parse(readFileSync("docker-compose.yml", "utf8"), { merge: true });

    const { signet, postgres, roles } = services;
    expect(dockerfile).toMatch(/^USER (?!root|0)/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK /m);
    expect(signet).toMatchObject({ restart: "unless-stopped", read_only: true });
    expect(signet.logging.options).toMatchObject({ "max-size": "10m" });
    expect(postgres).toHaveProperty("healthcheck");
    expect(roles.depends_on.postgres.condition).toBe("service_healthy");
  });
});
