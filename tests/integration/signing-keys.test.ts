import { createGrpcTransport } from "@connectrpc/connect-node";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, describe, expect, test } from "vitest";
import { SigningAlgorithm } from "../../gen/signet/v1/site_pb.ts";
import { SigningKeyState } from "../../gen/signet/v1/site_service_pb.ts";
import {
  grpcClients,
  logIn,
  openSite,
  refusal,
  signUp,
  type TestSite,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service } = opened;

describe("a rotation of the signing key", () => {
  test("waits until the next key is known well enough, and says so", async () => {
    const { backend } = await openNewSite();

    const { signingKeys, scheduledTime } = await backend.sites.rotateSigningKey({});
    const again = await backend.sites.rotateSigningKey({});

    const states = signingKeys.map(({ state }) => state);
    expect(states).toEqual([SigningKeyState.CURRENT, SigningKeyState.NEXT]);
    expect(scheduledTime).toBeDefined();
    expect(again.scheduledTime).toEqual(scheduledTime);
  });

  test("fails no check, neither here nor by the JWKS, however often it happens", async () => {
    const site = await openNewSite();
    const { email, password } = await signUp(site.backend);
    const jwks = createRemoteJWKSet(jwksUrl(site.siteId), { cooldownDuration: 0 });
    const checks = { running: true, done: 0 };
    const checking = (async () => {
      while (checks.running) {
        const { accessToken } = await logIn(site.backend, email, password);
        const { result } = await site.backend.auth.validateToken({ token: accessToken });
        if (result.case !== "valid") throw new Error("a good token was refused");
        await jwtVerify(accessToken, jwks);
        checks.done += 1;
      }
    })();
    const kids = new Set<string>();

    for (let n = 0; n < 4; n += 1) {
      await publishLongAgo(site.siteId);
      const before = checks.done;
      const { signingKeys, scheduledTime } = await site.backend.sites.rotateSigningKey({});
      expect(scheduledTime).toBeUndefined();
      for (const { id, state } of signingKeys) if (state === SigningKeyState.CURRENT) kids.add(id);
      await until(() => checks.done > before + 3);
    }
    checks.running = false;
    await checking;

    expect(kids.size).toBe(4);
  });

  test("of a key that is no longer current does nothing", async () => {
    const { backend, siteId } = await openNewSite();
    await publishLongAgo(siteId);
    const { signingKeys } = await backend.sites.rotateSigningKey({});
    const previous = signingKeys.find(({ state }) => state === SigningKeyState.PREVIOUS);

    const repeated = await backend.sites.rotateSigningKey({ currentKeyId: previous?.id ?? "" });

    expect(repeated.signingKeys).toEqual(signingKeys);
  });

  test("withdraws a key that has leaked: its tokens are refused, Sessions go on", async () => {
    const { backend } = await openNewSite();
    const { accessToken, refreshToken } = await signUp(backend);
    const { kid: leaked = "" } = decodeProtectedHeader(accessToken);

    await backend.sites.rotateSigningKey({ currentKeyId: leaked, withdraw: true });
    await until(async () => {
      const { result } = await backend.auth.validateToken({ token: accessToken });
      return result.case === "invalid";
    });
    const { tokens } = await backend.auth.refreshToken({ refreshToken });
    const { result } = await backend.auth.validateToken({ token: tokens?.accessToken ?? "" });

    expect(result.case).toBe("valid");
    const { revocations } = await backend.sync.listRevocations({});
    expect(revocations.map(({ subject }) => subject)).toContainEqual(
      expect.objectContaining({ case: "signingKeyWithdrawn" }),
    );
  });

  test("happens by itself: a switch that is due, a key that is old, one that is over", async () => {
    const { siteId } = await openNewSite();
    await publishLongAgo(siteId);
    await runAsAdmin(
      database.adminUrl,
      `update signet.signing_keys set activate_time = activate_time - interval '91 days'
        where site_id = '${siteId}' and state = 'current'`,
    );
    const old = await kidsOf(siteId);

    await runKeyCare();
    const rotated = await until(async () => {
      const kids = await kidsOf(siteId);
      return kids.length === 3 ? kids : undefined;
    });
    await runAsAdmin(
      database.adminUrl,
      `update signet.signing_keys set retire_time = now() - interval '1 second'
        where site_id = '${siteId}' and state = 'previous'`,
    );
    await runKeyCare();

    expect(rotated).toEqual(expect.arrayContaining(old));
    await until(async () => (await kidsOf(siteId)).length === 2);
  });
});

describe("the JWKS of a Site", () => {
  test("is found by its metadata, which promises nothing that is not there", async () => {
    const { siteId } = await openNewSite();

    const url = `${service.url}/sites/${siteId}/.well-known/openid-configuration`;
    const answer = await fetch(url);
    const metadata = (await answer.json()) as Record<string, unknown>;

    expect(answer.headers.get("cache-control")).toBe("public, max-age=60");
    expect(metadata).toMatchObject({
      issuer: `https://id.signet.test/sites/${siteId}`,
      jwks_uri: `https://id.signet.test/sites/${siteId}/.well-known/jwks.json`,
      id_token_signing_alg_values_supported: ["ES256"],
    });
    expect(Object.keys(metadata).filter((name) => name.endsWith("_endpoint"))).toEqual([]);
    expect((await fetch(url.replace(siteId, crypto.randomUUID()))).status).toBe(404);
  });

  test("signs with RS256 where the Site asks for it", async () => {
    const site = await openNewSite({ signingAlgorithm: SigningAlgorithm.RS256 });
    const { accessToken } = await signUp(site.backend);

    const { protectedHeader } = await jwtVerify(
      accessToken,
      createRemoteJWKSet(jwksUrl(site.siteId)),
    );

    expect(protectedHeader).toMatchObject({ alg: "RS256", typ: "at+jwt" });
  });

  test("is rotated by nobody who may not", async () => {
    const { backend } = await openNewSite();
    const { accessToken } = await signUp(backend);

    const refused = grpcClients(service.url, accessToken).sites.rotateSigningKey({});

    expect(await refusal(refused)).toMatchObject({ reason: "ACCESS_DENIED" });
  });
});

function openNewSite(settings = {}): Promise<TestSite> {
  return openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey, settings);
}

function jwksUrl(siteId: string): URL {
  return new URL(`${service.url}/sites/${siteId}/.well-known/jwks.json`);
}

async function kidsOf(siteId: string): Promise<string[]> {
  const { keys } = (await (await fetch(jwksUrl(siteId))).json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
}

/** As if the next key had been there for an hour. */
async function publishLongAgo(siteId: string): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `update signet.signing_keys set create_time = create_time - interval '1 hour'
      where site_id = '${siteId}' and state = 'next'`,
  );
}

/** The job comes each minute; this one is now. */
async function runKeyCare(): Promise<void> {
  await runAsAdmin(database.adminUrl, "select graphile_worker.add_job('care_for_signing_keys')");
}
