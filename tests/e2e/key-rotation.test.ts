import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signUp } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { startChecks } from "../support/paced-checks.ts";
import {
  clientsOfBoth,
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { until } from "../support/waiting.ts";

const CHECKS_PER_SECOND = 100;
const CHECKS_BETWEEN = 150;
const ROTATIONS = 4;

let opened: SiteOnTwoProcesses;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("a rotation of the signing key", () => {
  test(`fails none of ${CHECKS_PER_SECOND} checks each second at two processes`, async () => {
    const { backends, site } = opened;
    const { check, kids } = await openChecks();
    const checks = startChecks(CHECKS_PER_SECOND, check);

    for (let n = 0; n < ROTATIONS; n += 1) {
      await publishLongAgo(site.siteId);
      const { scheduledTime } = await backends[n % 2 === 0 ? 0 : 1].sites.rotateSigningKey({});
      expect(scheduledTime).toBeUndefined();
      const before = checks.done();
      await until(() => checks.done() >= before + CHECKS_BETWEEN && kids.size > n + 1, 60_000);
    }
    await checks.stop();

    expect(checks.failures).toEqual([]);
  });
});

/**
 * Makes the check: a token that one process has just signed is good at the other, by the
 * other's JWKS, and so is the oldest token there is. `kids` are the keys that have signed.
 */
async function openChecks() {
  const { backends, services, site } = opened;
  const { accessToken: oldest } = await signUp(backends[0]);
  const owners = clientsOfBoth(services, oldest);
  const keySets = services.map(({ url }) => {
    const jwks = new URL(`${url}/sites/${site.siteId}/.well-known/jwks.json`);
    return createRemoteJWKSet(jwks, { cooldownDuration: 0 });
  });
  const kids = new Set<string>();
  const check = async (n: number): Promise<void> => {
    const [here, there] = n % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const);
    const { accessToken } = await owners[here].auth.exchangeToken({ audience: "reports" });
    kids.add(decodeProtectedHeader(accessToken).kid ?? "");
    const { auth } = backends[there];
    const fresh = await auth.validateToken({ token: accessToken, audience: "reports" });
    const old = await auth.validateToken({ token: oldest });
    expect([fresh.result.case, old.result.case]).toEqual(["valid", "valid"]);
    const keySet = keySets[there];
    if (keySet) await jwtVerify(accessToken, keySet, { audience: "reports" });
  };
  return { check, kids };
}

/** As if the next key had been there for an hour. */
async function publishLongAgo(siteId: string): Promise<void> {
  await runAsAdmin(
    opened.database.adminUrl,
    `update signet.signing_keys set create_time = create_time - interval '1 hour'
      where site_id = '${siteId}' and state = 'next'`,
  );
}
