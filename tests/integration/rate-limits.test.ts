import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import {
  type Clients,
  clientsOf,
  createSite,
  grpcClients,
  openSite,
  patiently,
  refusal,
  refusalOf,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { createServiceKeys, startService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const WINDOW_MS = 60_000;
const PERCENT = 4;
/** Of 300 calls that check a secret, 4 %. */
const SECRETS_MAX = 12;

const database = await openTestDatabase();
const keys = createServiceKeys();
const env = { SIGNET_RATE_LIMIT_PERCENT: `${PERCENT}` };
const shared = { databaseUrl: database.appUrl, keys, env };
const [first, second, proxied] = await Promise.all([
  startService(shared),
  startService(shared),
  startService({ ...shared, env: { ...env, SIGNET_TRUSTED_PROXIES: "127.0.0.1" } }),
]);
const transport = createGrpcTransport({ baseUrl: first.url });
const operator = clientsOf(transport, keys.operatorKey);
const publicSiteId = await createSite(operator, { publicCalls: true });
afterAll(async () => {
  for (const service of [first, second, proxied]) await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Windows end with the minute: a test begins when enough of one is left, in a count of its own. */
beforeEach(async () => {
  await until(() => WINDOW_MS - (Date.now() % WINDOW_MS) > 20_000, 25_000);
  await runAsAdmin(database.adminUrl, "delete from signet.call_counts");
}, 30_000);

describe("an address that calls without a credential", () => {
  test("is refused past its limit, with a delay, and by the other processes too", async () => {
    const [here, there] = [grpcClients(first.url), grpcClients(second.url)];

    expect(await countUntilRefused(() => guess(here))).toBe(SECRETS_MAX);
    await until(async () => (await sumOfCounts()) >= SECRETS_MAX);
    await outcome(guess(there));
    await until(async () => (await sumOfCounts()) > SECRETS_MAX);

    expect(await countUntilRefused(() => guess(there))).toBeLessThan(SECRETS_MAX / 2);
    const refused = await refusal(guess(here));
    expect(refused).toMatchObject({ code: "ResourceExhausted", reason: "RATE_LIMITED" });
    expect(refused.retryDelayMs).toBeGreaterThan(0);
    expect(refused.retryDelayMs).toBeLessThanOrEqual(WINDOW_MS);
  });

  test("is not believed about forwarded addresses, unless it is a proxy of ours", async () => {
    const hop = (n: number) => ({ headers: { "x-forwarded-for": `203.0.113.${n}` } });

    const forged = await outcomes(2 * SECRETS_MAX, (n) => guess(grpcClients(first.url), hop(n)));
    const passedOn = await outcomes(2 * SECRETS_MAX, (n) =>
      guess(grpcClients(proxied.url), hop(n)),
    );

    expect(forged).toContain("RATE_LIMITED");
    expect(passedOn).not.toContain("RATE_LIMITED");
    expect(await countUntilRefused(() => guess(grpcClients(proxied.url), hop(1)))).toBe(
      SECRETS_MAX - 1,
    );
  });
});

describe("a backend", () => {
  test("is limited by the addresses that it passes on, never as one client", async () => {
    const { backend } = await openSite(transport, keys.operatorKey);
    const from = (ip: string) => () => guess(backend, {}, ip);

    expect(await outcomes(2 * SECRETS_MAX, () => guess(backend))).not.toContain("RATE_LIMITED");
    expect(await countUntilRefused(from("203.0.113.50"))).toBe(SECRETS_MAX);
    expect(await outcome(from("203.0.113.51")())).toBe("LOGIN_FAILED");
  });

  test("cannot have a client change its IPv6 address within its network", async () => {
    const { backend } = await openSite(transport, keys.operatorKey);
    const own = (n: number) => guess(backend, {}, `2001:db8:1:2:${n}::${n}`);

    const inNetwork = await outcomes(SECRETS_MAX + 1, own);
    const inAnother = await outcome(guess(backend, {}, "2001:db8:1:3::1"));

    expect(inNetwork.filter((reason) => reason === "RATE_LIMITED")).toHaveLength(1);
    expect(inAnother).toBe("LOGIN_FAILED");
  });

  test("uses up no address of another Site", async () => {
    const mine = await openSite(transport, keys.operatorKey);
    const theirs = await openSite(transport, keys.operatorKey);
    const ip = "203.0.113.60";
    await countUntilRefused(() => guess(mine.backend, {}, ip));

    expect(await outcome(guess(theirs.backend, {}, ip))).toBe("LOGIN_FAILED");
  });

  test("is refused a text that is no address", async () => {
    const { backend } = await openSite(transport, keys.operatorKey);

    expect(await refusal(guess(backend, {}, "203.0.113.1, evil"))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field: "client.ip" },
    });
  });
});

test("mails are limited before logins are, and each by itself", async () => {
  const { backend } = await openSite(transport, keys.operatorKey);
  const client = { ip: "203.0.113.70" };
  const identifier = { case: "email", value: uniqueEmail() } as const;
  const ask = () => backend.auth.requestPasswordReset({ identifier, client });

  expect(await countUntilRefused(ask)).toBe(Math.ceil((60 * PERCENT) / 100));
  expect(await outcome(guess(backend, {}, client.ip))).toBe("LOGIN_FAILED");
});

function guess({ auth }: Pick<Clients, "auth">, options = {}, ip = "") {
  const siteId = isPublic(auth) ? publicSiteId : "";
  const identifier = { case: "email", value: uniqueEmail() } as const;
  const request = { siteId, identifier, password: "wrong password", client: { ip } };
  return patiently(() => auth.login(request, options));
}
