import type { DescMethod } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { signUpWithFactor } from "../support/authenticator.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  logIn,
  openSite,
  type SignedIn,
  signUp,
  unique,
} from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { callAsSeen, type SeenAnswer } from "../support/isolation-calls.ts";
import { type IdField, idFieldsOf, type Kind, withField } from "../support/isolation-fields.ts";
import { REQUESTS } from "../support/isolation-requests.ts";
import {
  type DeliveryNames,
  isUserName,
  makeDelivery,
  makePageToken,
  makeThing,
  makeUser,
  type NamedSite,
  randomNames,
  scrambled,
  type UserNames,
} from "../support/isolation-things.ts";
import { startService, type TestService } from "../support/service.ts";
import { signetServices } from "../support/signet-services.ts";
import { digestSite, settledRows } from "../support/site-rows.ts";

/** So many Users of the other Site are named, each once, since names are taken by being used. */
const FOREIGN_USERS = 250;
/** Callers by credential. An operator may name every Site, and so is none of them. */
const CALLERS = ["a site key", "a User", "an admin"] as const;
/** What a Peer may call, nobody else may: it has a key of its own. */
const OF_PEERS = /Peer/;
type CallerName = (typeof CALLERS)[number] | "a peer";
/** Of the person whose password a Peer knows. */
const KNOWN_NAME = unique("u");
const MALFORMED = ["x", "not an id\n", "../..", "é".repeat(70)];

const methods = (await signetServices()).flatMap((service) => service.methods);
const matrix = methods.flatMap((method) =>
  idFieldsOf(method).ids.map((field) => [`${method.name} ${field.path}`, method, field] as const),
);

let database: TestDatabase;
let service: TestService;
let home: NamedSite;
let foreign: NamedSite;
let people: Readonly<Record<CallerName, { credential: string; person: SignedIn }>>;
let ownDelivery: DeliveryNames;
/** The right one for the challenge of a Peer: it alone tells that challenge from none. */
let recoveryCode: string | undefined;
let foreignUsers: UserNames[];
let foreignThings: ReadonlyMap<Kind, string>;
let before: Readonly<Record<string, string>>;

beforeAll(async () => {
  database = await openTestDatabase();
  // So many calls from one address are a flood to Signet, but not to these tests.
  const env = { SIGNET_RATE_LIMIT_PERCENT: "100000" };
  service = await startService({ databaseUrl: database.appUrl, env });
  [home, foreign] = [await openNamedSite(), await openNamedSite()];
  const { backend, key } = home.site;
  const [plain, admin, known] = await Promise.all([1, 2, 3].map(() => signUp(backend)));
  if (!plain || !admin || !known) throw new Error("three people are needed");
  await backend.users.updateUser({ userId: admin.userId, roles: { roles: ["admin"] } });
  const { accessToken } = await logIn(backend, admin.email, admin.password);
  people = {
    "a site key": { credential: key, person: plain },
    "a User": { credential: plain.accessToken, person: plain },
    "an admin": { credential: accessToken, person: admin },
    "a peer": { credential: await makePeerKey(), person: known },
  };
  await backend.users.updateUser({ userId: known.userId, username: KNOWN_NAME });
  ownDelivery = await makeDelivery(home);
  const kinds = new Set(matrix.map(([, , { kind }]) => kind));
  foreignThings = await makeForeignThings(kinds);
  foreignUsers = await Promise.all(Array.from({ length: FOREIGN_USERS }, () => makeUser(foreign)));
  before = await settledRows(database.adminUrl, foreign.site.siteId);
}, 120_000);

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("the matrix", () => {
  test("has every text of every request: a new one must be named or said to be plain", () => {
    const unsorted = methods.flatMap((method) =>
      idFieldsOf(method).unsorted.map((path) => `${method.name} ${path}`),
    );

    expect(unsorted).toEqual([]);
    expect(matrix.length).toBeGreaterThan(120);
  });

  test("has a request for every method", () => {
    const missing = methods.filter(({ name }) => REQUESTS[name] === undefined);

    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe("what another Site has, named in", () => {
  afterEach(async () => {
    // Or nothing more would be told from anything.
    for (const { credential } of [people["a User"], people["an admin"]]) {
      const { result } = await home.site.backend.auth.validateToken({ token: credential });
      expect(result.case).toBe("valid");
    }
    expect(await digestSite(database.adminUrl, foreign.site.siteId)).toEqual(before);
  });

  test.each(matrix)("%s, is as if there were none", async (_name, method, field) => {
    for (const caller of callersOf(method)) {
      const [known, unknown] = await foreignAndRandom(method, field);
      const ofForeign = await call(method, field, caller, known);
      const ofRandom = await call(method, field, caller, unknown);

      expect({ caller, told: ofForeign.text }).toEqual({ caller, told: ofRandom.text });
      expect(ofForeign.code).not.toBe("internal");
      expect(ofForeign.raw).not.toContain(foreign.site.siteId);
    }
  });

  test.each(matrix)("%s, is told from what is no name at all", async (_name, method, field) => {
    for (const value of MALFORMED) {
      const answer = await call(method, field, firstCallerOf(method), value);

      expect({ value, code: answer.code }).not.toEqual({ value, code: "internal" });
    }
  });
});

/** Answers that must not tell whether there is such an object, the caller's own included. */
const SILENT = new Set([
  "Register email", // The owner is told by mail.
  "Register username",
  "AcceptInvitation username", // Without a token of the mail.
  "VerifyEmail username",
  "ResendVerification email",
  "RequestPasswordReset email",
  "RequestPasswordReset username",
  "RequestEmailChange new_email",
  "Login email", // Without the password of that User.
  "Login username",
  "Logout refresh_token",
  "CompareDigests page_token", // A small Site has no second page of a few leaves.
]);
/** What a field may name and change nothing: the id of what is created, and filters. */
const FREE =
  /^((Create(User|ApiKey|Site|Webhook)|InviteUser|Register|ReportMirror) id|.*device_token)$/;
/** The end of the Site that all else needs. */
const LEFT_OUT = /DeleteSite/;

describe("an own object, named in", () => {
  const told = matrix.filter(
    ([name, { name: method }]) => !SILENT.has(name) && !FREE.test(name) && !LEFT_OUT.test(method),
  );

  test.each(told)("%s, is found, so that the tests above tell something", async (...row) => {
    const [, method, field] = row;
    const own = await ownThing(method, field);
    const [, unknown] = await foreignAndRandom(method, field);

    const caller = firstCallerOf(method);
    const ofRandom = await call(method, field, caller, unknown);
    const ofOwn = await call(method, field, caller, own);
    if (ofRandom.code === "permission_denied" && ofOwn.code === "permission_denied") return;

    expect(ofOwn.text).not.toBe(ofRandom.text);
  });
});

function callersOf({ name }: DescMethod): readonly CallerName[] {
  return OF_PEERS.test(name) ? [...CALLERS, "a peer"] : CALLERS;
}

/** The one who may. */
function firstCallerOf({ name }: DescMethod): CallerName {
  return OF_PEERS.test(name) ? "a peer" : "a site key";
}

async function call(
  method: DescMethod,
  field: IdField,
  caller: CallerName,
  value: string,
): Promise<SeenAnswer> {
  const { credential, person } = people[caller];
  const own = { ...person, ...ownNames(), recoveryCode };
  const request = withField(method, REQUESTS[method.name]?.(own) ?? {}, field.path, value);
  return await callAsSeen(service.url, method, request, { credential, sent: value });
}

/** What names an object of the other Site, and what names none and looks the same. */
async function foreignAndRandom(
  method: DescMethod,
  { kind, path }: IdField,
): Promise<[string, string]> {
  if (isUserName(kind)) {
    const user = foreignUsers.pop();
    if (!user) throw new Error("there are no more foreign Users");
    return [user[kind], randomNames()[kind]];
  }
  if (kind === "pageToken" || kind === "resumeToken") {
    const token = await foreignPage(method);
    return [token, scrambled(token)];
  }
  const isFree = FREE.test(`${method.name} ${path}`);
  const thing = (isFree && foreignSpares.get(kind)?.pop()) || (foreignThings.get(kind) ?? "");
  return [thing, scrambled(thing)];
}

/** For requests that make something with the id here, which would then be found by the next. */
const foreignSpares = new Map<Kind, string[]>();
const pages = new Map<string, string>();

/** Asked for once: what a page token costs the other Site must not look like an effect. */
async function foreignPage({ name }: DescMethod): Promise<string> {
  return pages.get(name) ?? "";
}

async function ownThing(method: DescMethod, { kind, path }: IdField): Promise<string> {
  if (path === "actor_id") return people["a site key"].person.userId; // Who has done something.
  const isOfDeliveries = method.name === "ListWebhookDeliveries";
  if (isOfDeliveries && kind === "user") return ownDelivery.userId;
  if (kind === "delivery") return ownDelivery.deliveryId;
  if (method.name === "VerifyPeerLogin" && kind === "email") return people["a peer"].person.email;
  if (method.name === "VerifyPeerLogin" && kind === "username") return KNOWN_NAME;
  if (method.name === "CompletePeerMfa" && kind === "challengeToken") return await peerChallenge();
  if (kind !== "pageToken" && kind !== "resumeToken") return await makeThing(home, kind);
  const own = { ...people["a site key"].person, ...ownNames() };
  return await makePageToken(home, method, REQUESTS[method.name]?.(own) ?? {});
}

function ownNames() {
  const { webhookId, deliveryId } = ownDelivery;
  return { siteId: home.site.siteId, webhookId, deliveryId };
}

async function makePeerKey(): Promise<string> {
  return await createKey(home.operator, home.site.siteId, { scopes: [Scope.PEER] });
}

/** Good with the key that it was made for alone. */
async function peerChallenge(): Promise<string> {
  const enrolled = await signUpWithFactor(home.site.backend, home.asUser);
  const { email, password, recoveryCodes } = enrolled;
  recoveryCode = recoveryCodes[0];
  const { sync } = grpcClients(service.url, people["a peer"].credential);
  const identifier = { case: "email", value: email } as const;
  const { result } = await sync.verifyPeerLogin({ identifier, password });
  if (result.case === "mfaChallenge") return result.value.challengeToken;
  throw new Error(`the Peer's login answered with ${result.case}`);
}

async function makeForeignThings(kinds: ReadonlySet<Kind>): Promise<ReadonlyMap<Kind, string>> {
  const things = new Map<Kind, string>();
  for (const kind of kinds) {
    if (kind === "pageToken" || kind === "resumeToken" || isUserName(kind)) continue;
    things.set(kind, await makeThing(foreign, kind));
  }
  for (const kind of ["mirror", "apiKey", "webhook"] as const) {
    const spares = [];
    for (const _caller of CALLERS) spares.push(await makeThing(foreign, kind));
    foreignSpares.set(kind, spares);
  }
  const stranger = await signUp(foreign.site.backend);
  await logIn(foreign.site.backend, stranger.email, stranger.password);
  const webhookId = things.get("webhook") ?? "";
  const own = { ...stranger, siteId: foreign.site.siteId, webhookId };
  for (const [, method, { kind }] of matrix) {
    if (kind !== "pageToken" && kind !== "resumeToken") continue;
    pages.set(
      method.name,
      await makePageToken(foreign, method, REQUESTS[method.name]?.(own) ?? {}),
    );
  }
  return things;
}

async function openNamedSite(): Promise<NamedSite> {
  const { url, operatorKey } = service;
  const operator = grpcClients(url, operatorKey);
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  const asUser = (accessToken: string): Clients => grpcClients(url, accessToken);
  return { url, site, operator, asUser };
}
