import type { CallOptions } from "@connectrpc/connect";
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
import { createServiceKeys, startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const WINDOW_MS = 60_000;
const PERCENT = 4;
/** 4 % of what one source may do in a minute. */
const [PLAIN_MAX, SECRETS_MAX, MAILS_MAX] = [120, 12, 3];

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
    const [here, there] = [() => guessPublicly(first), () => guessPublicly(second)];

    expect(await countUntilRefused(here)).toBe(SECRETS_MAX);
    await until(async () => (await sumOfCounts()) >= SECRETS_MAX);
    await outcomes(2, there); // From a tenth of the limit on, a process asks the others.
    await until(async () => (await sumOfCounts()) > SECRETS_MAX);

    expect(await countUntilRefused(there)).toBeLessThan(SECRETS_MAX / 2);
    const refused = await refusal(here());
    expect(refused).toMatchObject({ code: "ResourceExhausted", reason: "RATE_LIMITED" });
    expect(refused.retryDelayMs).toBeGreaterThan(0);
    expect(refused.retryDelayMs).toBeLessThanOrEqual(WINDOW_MS);
  });

  test("is not believed about forwarded addresses, unless it is a proxy of ours", async () => {
    const hop = (n: number) => ({ headers: { "x-forwarded-for": `203.0.113.${n}` } });
    const siteId = publicSiteId;
    const { auth } = grpcClients(first.url);
    const check = (n: number) => auth.checkOneTimeToken({ siteId, token: "none" }, hop(n));

    const forged = await outcomes(PLAIN_MAX + 1, check);
    const passedOn = await outcomes(2 * SECRETS_MAX, (n) => guessPublicly(proxied, hop(n)));

    expect(forged.filter((reason) => reason === "RATE_LIMITED")).toHaveLength(1);
    expect(passedOn).not.toContain("RATE_LIMITED");
    const used = 1;
    expect(await countUntilRefused(() => guessPublicly(proxied, hop(1)))).toBe(SECRETS_MAX - used);
  });
});

describe("a backend", () => {
  test("is limited by the addresses that it passes on, never as one client", async () => {
    const { backend } = await openSite(transport, keys.operatorKey);
    const guessFrom = (ip: string) => guess(backend, from(ip));

    expect(await outcomes(2 * SECRETS_MAX, () => guess(backend))).not.toContain("RATE_LIMITED");
    expect(await countUntilRefused(() => guessFrom("203.0.113.50"))).toBe(SECRETS_MAX);
    expect(await outcome(guessFrom("203.0.113.51"))).toBe("LOGIN_FAILED");
  });

  test("cannot have a client change its IPv6 address within its network", async () => {
    const { backend } = await openSite(transport, keys.operatorKey);

    const inNetwork = await outcomes(SECRETS_MAX + 1, (n) =>
      guess(backend, from(`2001:db8:1:2:${n}::${n}`)),
    );
    const inAnother = await outcome(guess(backend, from("2001:db8:1:3::1")));

    expect(inNetwork.filter((reason) => reason === "RATE_LIMITED")).toHaveLength(1);
    expect(inAnother).toBe("LOGIN_FAILED");
  });

  test("uses up no address of another Site", async () => {
    const mine = await openSite(transport, keys.operatorKey);
    const theirs = await openSite(transport, keys.operatorKey);
    const client = from("203.0.113.60");
    await countUntilRefused(() => guess(mine.backend, client));

    expect(await outcome(guess(theirs.backend, client))).toBe("LOGIN_FAILED");
  });

  test("is refused a text that is no address", async () => {
    const { backend } = await openSite(transport, keys.operatorKey);

    expect(await refusal(guess(backend, from("203.0.113.1, evil")))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field: "client.ip" },
    });
  });
});

test("mails have a lower limit than logins, and a count of their own", async () => {
  const { backend } = await openSite(transport, keys.operatorKey);
  const identifier = { case: "email", value: uniqueEmail() } as const;
  const client = from("203.0.113.70");
  const ask = () => backend.auth.requestPasswordReset({ identifier, ...client });

  expect(await countUntilRefused(ask)).toBe(MAILS_MAX);
  expect(await outcome(guess(backend, client))).toBe("LOGIN_FAILED");
});

function guessPublicly({ url }: Pick<TestService, "url">, options: CallOptions = {}) {
  return guess(grpcClients(url), { siteId: publicSiteId }, options);
}

function guess(
  { auth }: Clients,
  fields: { readonly siteId?: string; readonly client?: { readonly ip: string } } = {},
  options: CallOptions = {},
) {
  const identifier = { case: "email", value: uniqueEmail() } as const;
  return patiently(() =>
    auth.login({ ...fields, identifier, password: "wrong password" }, options),
  );
}

function from(ip: string) {
  return { client: { ip } };
}

/** Repeats a call until a limit refuses it, and returns how often it was let through. */
async function countUntilRefused(call: () => Promise<unknown>): Promise<number> {
  for (let n = 0; ; n += 1) {
    if ((await outcome(call())) === "RATE_LIMITED") return n;
  }
}

async function outcomes(count: number, call: (n: number) => Promise<unknown>): Promise<string[]> {
  const reasons = [];
  for (let n = 0; n < count; n += 1) reasons.push(await outcome(call(n)));
  return reasons;
}

/** Returns the reason of a refusal; empty: there was none. */
async function outcome(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "",
    (error: unknown) => refusalOf(error).reason,
  );
}

/** What all processes have told each other of the one address that calls here. */
async function sumOfCounts(): Promise<number> {
  const rows = await runAsAdmin<{ calls: string }>(
    database.adminUrl,
    "select calls from signet.call_counts order by calls desc limit 1",
  );
  return Number(rows[0]?.calls ?? 0);
}
