import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MfaPolicy, SigningAlgorithm, type Site } from "../../gen/signet/v1/site_pb.ts";
import { SigningKeyState } from "../../gen/signet/v1/site_service_pb.ts";
import { keepSigningKeys } from "../../src/domain/signing-key-rotation.ts";
import { NO_SITE } from "../../src/model/id.ts";
import { LIFETIME_RANGES } from "../../src/model/site.ts";
import {
  type Clients,
  grpcClients,
  openSite,
  refusal,
  signUp,
  type TestSite,
  unique,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { until } from "../support/waiting.ts";

const YEAR_MS = 365 * 24 * 3_600_000;

let opened: InnerService;
let operator: Clients;
let site: TestSite;

beforeAll(async () => {
  opened = await openInnerService();
  ({ operator } = opened);
});

beforeEach(async () => {
  site = await openSite(createGrpcTransport({ baseUrl: opened.url }), opened.operatorKey);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("UpdateSite", () => {
  test("changes what is present, and no other setting", async () => {
    const before = await siteNow();
    const domains = { domains: [`${unique("new")}.example.com`, `${unique("new")}.example.com`] };
    const changes = {
      name: "Renamed",
      domains,
      frontendUrl: "https://new.example.com/app",
      redirectUrls: { redirectUrls: ["https://new.example.com/welcome"] },
      origins: { origins: ["https://new.example.com"] },
      mailSender: { address: "hello@new.example.com", name: "New" },
      selfRegistration: false,
      publicCalls: true,
      mfaPolicy: MfaPolicy.REQUIRED,
      passwordLengthMin: 20,
      lifetimes: { accessTokenSeconds: 60 },
      defaultAudience: "shop",
      locale: "de-AT",
      deletionProtected: true,
      linkPages: {
        verifyEmailUrl: "https://new.example.com/verify",
        resetPasswordUrl: "",
        acceptInvitationUrl: "https://new.example.com/join?from=mail",
        confirmEmailChangeUrl: "",
      },
      accentColor: "#0b7a4b",
    };

    const seen: Site[] = [];
    for (const [name, value] of Object.entries(changes)) {
      const { site: after } = await update({ [name]: value });
      if (after) seen.push(after);
    }

    const last = await siteNow();
    expect(seen.map(({ version }) => Number(version))).toEqual(seen.map((_, n) => n + 2));
    expect(seen[0]).toMatchObject({ ...settingsOf(before), name: "Renamed" });
    expect(last).toMatchObject({
      ...changes,
      ...domains,
      redirectUrls: ["https://new.example.com/welcome"],
      origins: ["https://new.example.com"],
      lifetimes: { accessTokenSeconds: 60, sessionIdleSeconds: 604_800 },
      createTime: before.createTime,
      signingAlgorithm: before.signingAlgorithm,
    });
  });

  test("writes nothing where nothing changes", async () => {
    const { name, domains } = await siteNow();

    const { site: after } = await update({ name, domains: { domains } });

    expect(after?.version).toBe(1n);
    expect(await kindsOfAudit()).not.toContain("site.updated");
  });

  test("refuses a version that has passed", async () => {
    await update({ name: "First", expectedVersion: 1n });

    const refused = await refusal(update({ name: "Second", expectedVersion: 1n }));

    expect(refused).toMatchObject({
      code: "Aborted",
      reason: "VERSION_MISMATCH",
      metadata: { version: "2" },
    });
    expect(await siteNow()).toMatchObject({ name: "First" });
  });

  test("lets one of many that start from the same version through", async () => {
    const tries = Array.from({ length: 10 }, (_, n) =>
      update({ name: `Try ${n}`, expectedVersion: 1n }).then(
        () => true,
        () => false,
      ),
    );

    const through = (await Promise.all(tries)).filter(Boolean);

    expect(through).toHaveLength(1);
    expect(await siteNow()).toMatchObject({ version: 2n });
  });

  test("writes into the audit log which settings were changed, and by whom", async () => {
    await site.backend.sites.updateSite({ name: "Renamed", locale: "fr" });

    const { events } = await operator.users.listAuditEvents({ siteId: site.siteId });
    const updated = events.find(({ kind }) => kind === "site.updated");

    expect(updated).toMatchObject({
      facts: { fields: "name, locale" },
      subject: { kind: "site", id: site.siteId },
    });
    expect(updated?.actor?.id).toBe(await ownKeyId());
  });

  test.each([
    ["name", { name: "" }],
    ["name", { name: "x".repeat(201) }],
    ["domains", { domains: { domains: Array.from({ length: 33 }, (_, n) => `a${n}.example`) } }],
    ["domains", { domains: { domains: ["https://shop.example"] } }],
    ["frontend_url", { frontendUrl: "http://shop.example" }],
    ["redirect_urls", { redirectUrls: { redirectUrls: ["javascript:alert(1)"] } }],
    ["origins", { origins: { origins: ["https://shop.example/path"] } }],
    ["mail_sender.address", { mailSender: { address: "nobody" } }],
    ["mfa_policy", { mfaPolicy: 99 as MfaPolicy }],
    ["password_length_min", { passwordLengthMin: 7 }],
    ["password_length_min", { passwordLengthMin: 65 }],
    ["lifetimes.access_token_seconds", { lifetimes: { accessTokenSeconds: 59 } }],
    [
      "lifetimes.session_absolute_seconds",
      { lifetimes: { sessionIdleSeconds: 900, sessionAbsoluteSeconds: 600 } },
    ],
    ["signing_algorithm", { signingAlgorithm: 99 as SigningAlgorithm }],
    ["default_audience", { defaultAudience: "ä" }],
    ["locale", { locale: "not a tag" }],
  ])("refuses a wrong %s", async (field, change) => {
    const refused = await refusal(update(change));

    expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
    expect(await siteNow()).toMatchObject({ version: 1n });
  });

  test("keeps to the bounds of every lifetime", async () => {
    for (const [name, { min, max }] of Object.entries(LIFETIME_RANGES)) {
      const others = name === "sessionIdleSeconds" ? { sessionAbsoluteSeconds: 34_560_000 } : {};
      const idle = name === "sessionAbsoluteSeconds" ? { sessionIdleSeconds: 300 } : {};
      const set = (value: number) => update({ lifetimes: { ...others, ...idle, [name]: value } });

      await set(min);
      await set(max);
      expect((await refusal(set(min - 1))).reason, name).toBe("INVALID_FIELD");
      expect((await refusal(set(max + 1))).reason, name).toBe("INVALID_FIELD");
    }
  });

  test("is for operators alone where it reaches beyond the Site", async () => {
    const { sites } = site.backend;
    const beyond = [
      { domains: { domains: [] } },
      { mailSender: { address: "a@example.com" } },
      { deletionProtected: false },
    ];

    for (const change of beyond) {
      expect(await refusal(sites.updateSite(change))).toMatchObject({ reason: "ACCESS_DENIED" });
    }
    await expect(sites.updateSite({ name: "Own" })).resolves.toBeDefined();
  });

  test("takes admins of the Site, and nobody else with an access token", async () => {
    const person = await signUp(site.backend);
    const as = grpcClients(opened.url, person.accessToken);
    const denied = await refusal(as.sites.updateSite({ name: "Mine" }));
    await site.backend.users.updateUser({ userId: person.userId, roles: { roles: ["admin"] } });
    const { refreshToken } = person;
    const { tokens } = await site.backend.auth.refreshToken({ refreshToken });
    const admin = grpcClients(opened.url, tokens?.accessToken);

    const { site: after } = await admin.sites.updateSite({ name: "Ours" });

    expect(denied).toMatchObject({ reason: "ACCESS_DENIED" });
    expect(after).toMatchObject({ name: "Ours" });
    await expect(refusal(admin.sites.updateSite({ siteId: opened.site.siteId }))).resolves.toEqual(
      expect.objectContaining({ reason: "SITE_NOT_FOUND" }),
    );
  });
});

describe("another signing algorithm", () => {
  test("takes the place of the next key, and takes over like any next key", async () => {
    const { signingKeys: before } = await rotate({ currentKeyId: NO_SITE });

    await update({ signingAlgorithm: SigningAlgorithm.RS256 });
    const { signingKeys, scheduledTime } = await rotate({});

    const [current, next] = signingKeys;
    expect(before.map(({ algorithm }) => algorithm)).toEqual(Array(2).fill(SigningAlgorithm.ES256));
    expect(current).toEqual(before[0]);
    expect(next).toMatchObject({
      algorithm: SigningAlgorithm.RS256,
      state: SigningKeyState.NEXT,
    });
    expect(next?.id).not.toBe(before[1]?.id);
    expect(scheduledTime?.seconds).toBe((next?.publishTime?.seconds ?? 0n) + 300n);
    expect(signingKeys).toHaveLength(2);
  });

  test("takes over by itself, once every copy of the JWKS has its key", async () => {
    const person = await signUp(site.backend);
    await update({ signingAlgorithm: SigningAlgorithm.RS256 });
    const untouched = { currentKeyId: NO_SITE }; // No key's, so that nothing is done.
    const { signingKeys: before, scheduledTime } = await rotate(untouched);

    await runAsAdmin(
      opened.database.adminUrl,
      `update signet.signing_keys set switch_time = now() where site_id = '${site.siteId}'
          and state = 'next'`,
    );
    await keepSigningKeys(opened.deps, YEAR_MS);

    const { signingKeys } = await rotate(untouched);
    const token = person.accessToken;
    const { result } = await site.backend.auth.validateToken({ token });
    expect(scheduledTime).toBeDefined();
    expect(signingKeys[0]).toMatchObject({
      id: before[1]?.id,
      algorithm: SigningAlgorithm.RS256,
      state: SigningKeyState.CURRENT,
    });
    expect(signingKeys.map(({ id }) => id)).toContain(before[0]?.id);
    expect(result.case).toBe("valid");
  });

  test("signs at once where the other keys are withdrawn, and later keys are of it", async () => {
    await update({ signingAlgorithm: SigningAlgorithm.RS256 });

    const { signingKeys } = await rotate({ withdraw: true });

    expect(signingKeys.map(({ algorithm }) => algorithm)).toEqual(
      Array(2).fill(SigningAlgorithm.RS256),
    );
    const header = await until(async () => {
      const { accessToken } = await signUp(site.backend);
      const read = JSON.parse(Buffer.from(accessToken.split(".")[0] ?? "", "base64url").toString());
      return read.alg === "RS256" && read;
    });
    expect(header).toMatchObject({ kid: signingKeys[0]?.id });
  });
});

const update = (changes: object) => operator.sites.updateSite({ siteId: site.siteId, ...changes });

const rotate = (request: object) =>
  operator.sites.rotateSigningKey({ siteId: site.siteId, ...request });

async function siteNow(): Promise<Site> {
  const { site: found } = await operator.sites.getSite({ siteId: site.siteId });
  if (!found) throw new Error("no Site");
  return found;
}

function settingsOf({ name: _, version: __, updateTime: ___, ...settings }: Site) {
  return settings;
}

async function kindsOfAudit(): Promise<string[]> {
  const { events } = await operator.users.listAuditEvents({ siteId: site.siteId });
  return events.map(({ kind }) => kind);
}

async function ownKeyId(): Promise<string> {
  const { apiKeys } = await operator.sites.listApiKeys({ siteId: site.siteId });
  return apiKeys[0]?.id ?? "";
}
