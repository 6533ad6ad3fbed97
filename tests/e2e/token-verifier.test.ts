import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createSignetClient,
  type SignetClient,
  type SiteTokenVerifier,
  VerifierUnavailableError,
} from "../../src/client/index.ts";
import { grpcClients, logIn, openSite, signUp, type TestSite } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import {
  createServiceKeys,
  type ServiceOptions,
  startService,
  type TestService,
} from "../support/service.ts";
import { until } from "../support/waiting.ts";

let database: TestDatabase;
let options: ServiceOptions;
let first: TestService;
let second: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
  options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  [first, second] = await Promise.all([startService(options), startService(options)]);
});

afterAll(async () => {
  await Promise.all([first, second].map((service) => service[Symbol.asyncDispose]()));
  await database[Symbol.asyncDispose]();
});

describe("a verifier of the client", () => {
  test("refuses a token within a second of its logout at another process", async () => {
    const { key, issuer } = await openNewSite();
    const here = grpcClients(first.url, key);
    await using signet = closing(createSignetClient({ url: second.url, key }));
    const verifier = signet.tokenVerifier({ audience: issuer });
    const { accessToken, refreshToken, userId } = await signUp(here);
    const verified = await verifier.verify(accessToken);

    await here.auth.logout({ refreshToken });
    const error = await until(() => refusalBy(verifier, accessToken), 1_000);

    expect(verified.userId).toBe(userId);
    expect(error).toMatchObject({ problem: "revoked" });
    expect(verifier.counters()).toMatchObject({ asked: 0, revoked: 1, acceptedStale: 0 });
  });

  test("refuses all tokens of a User that is deleted", async () => {
    const { key, issuer } = await openNewSite();
    const here = grpcClients(first.url, key);
    await using signet = closing(createSignetClient({ url: second.url, key }));
    const verifier = signet.tokenVerifier({ audience: issuer });
    const { accessToken, email, password, userId } = await signUp(here);
    const other = await logIn(here, email, password);
    await verifier.verify(accessToken);
    await verifier.verify(other.accessToken);

    await here.users.deleteUser({ userId });

    for (const token of [accessToken, other.accessToken]) {
      const error = await until(() => refusalBy(verifier, token), 1_000);
      expect(error).toMatchObject({ problem: "revoked" });
    }
  });

  test("asks the other way while it is not heard, and refuses when nobody answers", async () => {
    const { key, issuer } = await openNewSite();
    await using third = await startService(options);
    await using signet = closing(createSignetClient({ url: third.url, key }));
    const verifier = signet.tokenVerifier({ audience: issuer, maxStalenessSeconds: 0 });
    const { accessToken } = await signUp(grpcClients(first.url, key));
    await verifier.verify(accessToken);

    await third.stop("SIGKILL");
    const error = await until(() => refusalBy(verifier, accessToken), 15_000);

    expect(error).toBeInstanceOf(VerifierUnavailableError);
    expect(verifier.counters()).toMatchObject({ refusedStale: 1, acceptedStale: 0 });
  });
});

async function openNewSite(): Promise<TestSite & { readonly issuer: string }> {
  const opened = await openSite(createGrpcTransport({ baseUrl: first.url }), first.operatorKey);
  const { site } = await opened.backend.sites.getSite({});
  return { ...opened, issuer: site?.issuer ?? "" };
}

/** Returns how a verifier refuses a token; undefined while it accepts it. */
async function refusalBy(verifier: SiteTokenVerifier, token: string): Promise<unknown> {
  return await verifier.verify(token).then(
    () => undefined,
    (error: unknown) => error,
  );
}

function closing(client: SignetClient): SignetClient & AsyncDisposable {
  return { ...client, [Symbol.asyncDispose]: async () => client.close() };
}
