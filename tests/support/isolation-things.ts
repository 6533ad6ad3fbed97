import { randomBytes, randomUUID } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery, type OneTimeToken } from "../../gen/signet/v1/auth_service_pb.ts";
import { MfaPolicy } from "../../gen/signet/v1/site_pb.ts";
import { challengeOf, signUpWithFactor } from "./authenticator.ts";
import { type Clients, signUp, type TestSite, unique, uniqueEmail } from "./builders.ts";
import type { Json, Kind } from "./isolation-fields.ts";
import { callJson } from "./json-call.ts";
import { mirrorReport } from "./mirror-reports.ts";
import { until } from "./waiting.ts";

const { RETURN_TOKEN: delivery } = Delivery;

/** A Site whose objects are named in requests. */
export interface NamedSite {
  readonly url: string;
  readonly site: TestSite;
  readonly operator: Clients;
  readonly asUser: (accessToken: string) => Clients;
}

/** Makes an object of a Site, and returns what names it. */
export async function makeThing(at: NamedSite, kind: Kind): Promise<string> {
  const { auth, users, sites, sync } = at.site.backend;
  switch (kind) {
    case "site":
      return at.site.siteId;
    case "user":
    case "email":
    case "username":
    case "externalId":
      return (await makeUser(at))[kind];
    case "session":
      return (await signUp(at.site.backend)).sessionId;
    case "accessToken":
    case "refreshToken":
      return (await signUp(at.site.backend))[kind];
    case "apiKey": {
      const scopes = [Scope.USERS_READ];
      const { apiKey } = await sites.createApiKey({ label: "made", scopes });
      return apiKey?.id ?? "";
    }
    case "signingKey":
      return await signingKeyOf(at);
    case "mirror": {
      const report = mirrorReport();
      await sync.reportMirror(report);
      return report.id;
    }
    case "verifyToken":
      return textOf(await auth.register({ email: uniqueEmail(), delivery }));
    case "inviteToken":
      return textOf(await users.inviteUser({ email: uniqueEmail(), delivery }));
    case "resetToken": {
      const identifier = { case: "email", value: (await signUp(at.site.backend)).email } as const;
      return textOf(await auth.requestPasswordReset({ identifier, delivery }));
    }
    case "changeToken": {
      const { userId } = await signUp(at.site.backend);
      const change = { userId, newEmail: uniqueEmail(), delivery };
      return textOf(await auth.requestEmailChange(change));
    }
    case "challengeToken":
      return await challengeOf(at.site.backend, await signUpWithFactor(at.site.backend, at.asUser));
    case "enrollmentToken":
      return await makeEnrollment(at);
    case "deviceToken":
      return await makeDevice(at);
    case "watchCursor":
      return (await users.listUsers({})).syncCursor;
    case "revocationCursor":
      return (await sync.listRevocations({})).cursor;
    case "webhook":
      return await makeWebhook(at);
    case "delivery":
      return (await makeDelivery(at)).deliveryId;
    case "pageToken":
    case "resumeToken":
      throw new Error("belongs to a list: see makePageToken");
  }
}

/** What names a User that was made for it. */
export type UserNames = Readonly<Record<"user" | "email" | "username" | "externalId", string>>;

/** Makes a User with every name that a User can have. */
export async function makeUser({ site }: NamedSite): Promise<UserNames> {
  const [email, username, externalId] = [uniqueEmail(), unique("u"), unique("x")];
  const { user } = await site.backend.users.createUser({ email, username, externalId });
  return { user: user?.id ?? "", email, username, externalId };
}

/** Reads the first page of a list, of one row, and returns the token of the next. */
export async function makePageToken(
  { url, site }: NamedSite,
  method: DescMethod,
  request: Json,
): Promise<string> {
  if (method.name === "ExportUsers") return await makeResumeToken(site);
  const path = `${method.parent.typeName}/${method.name}`;
  const { json } = await callJson(url, path, { ...request, page_size: 1 }, site.key);
  const token = json.nextPageToken;
  return typeof token === "string" && token !== "" ? token : (await aPage(site)).nextPageToken;
}

async function makeResumeToken({ backend }: TestSite): Promise<string> {
  for await (const { resumeToken } of backend.users.exportUsers({})) return resumeToken;
  return "";
}

/** A token of another list, for those that are empty. */
async function aPage({ backend }: TestSite) {
  return await backend.users.listUsers({ pageSize: 1 });
}

/** What names a delivery, and what it is of and about. */
export interface DeliveryNames {
  readonly webhookId: string;
  readonly deliveryId: string;
  readonly userId: string;
}

/** Makes a webhook with deliveries that wait, and returns what names one of them. */
export async function makeDelivery(at: NamedSite): Promise<DeliveryNames> {
  const webhookId = await makeWebhook(at);
  const { deliveries } = await at.site.backend.sync.listWebhookDeliveries({ webhookId });
  const [{ id = "", userId = "" } = {}] = deliveries;
  return { webhookId, deliveryId: id, userId };
}

/** Switched off, so that it stays as it is; two deliveries of it wait. */
async function makeWebhook({ site }: NamedSite): Promise<string> {
  const { sync, users } = site.backend;
  for (let n = 0; n < 2; n++) await users.createUser({ email: uniqueEmail() });
  const last = await until(async () => {
    const { health } = await sync.getSyncHealth({});
    return health && health.head > 1n ? health.head : undefined;
  });
  const { webhook } = await sync.createWebhook({ url: "https://hooks.invalid/a" });
  const id = webhook?.id ?? "";
  await sync.updateWebhook({ id, enabled: false });
  const range = { firstPosition: last - 1n, lastPosition: last };
  await sync.redeliverWebhook({ webhookId: id, what: { case: "range", value: range } });
  return id;
}

async function signingKeyOf({ url, site }: NamedSite): Promise<string> {
  const answer = await fetch(`${url}/sites/${site.siteId}/.well-known/jwks.json`);
  const { keys } = (await answer.json()) as { readonly keys: readonly { readonly kid: string }[] };
  return keys[0]?.kid ?? "";
}

/** A Site asks for it only while it requires a factor; what it requires is known after a moment. */
async function makeEnrollment({ operator, site }: NamedSite): Promise<string> {
  const person = await signUp(site.backend);
  const { siteId } = site;
  const identifier = { case: "email", value: person.email } as const;
  const result = async () =>
    (await site.backend.auth.login({ identifier, password: person.password })).result;
  await operator.sites.updateSite({ siteId, mfaPolicy: MfaPolicy.REQUIRED });
  const enrollment = await until(async () => {
    const answer = await result();
    return answer.case === "mfaEnrollment" ? answer.value : undefined;
  });
  await operator.sites.updateSite({ siteId, mfaPolicy: MfaPolicy.OPTIONAL });
  await until(async () => (await result()).case === "session");
  return enrollment.enrollmentToken;
}

async function makeDevice({ site }: NamedSite): Promise<string> {
  const { email, password } = await signUp(site.backend);
  const identifier = { case: "email", value: email } as const;
  const { result } = await site.backend.auth.login({ identifier, password });
  return result.case === "session" ? result.value.deviceToken : "";
}

function textOf(answer: { readonly oneTimeToken?: OneTimeToken | undefined }): string {
  return answer.oneTimeToken?.token ?? "";
}

/** Whether it is one of the names of a User. */
export function isUserName(kind: Kind): kind is keyof UserNames {
  return ["user", "email", "username", "externalId"].includes(kind);
}

/** Names that nobody has, as long as those of Users. */
export function randomNames(): UserNames {
  const [email, username, externalId] = [uniqueEmail(), unique("u"), unique("x")];
  return { user: randomUUID(), email, username, externalId };
}

/** The same form, and the same Site in clear, but with other random bits at the end. */
export function scrambled(name: string): string {
  if (/^[0-9a-f-]{36}$/.test(name)) return randomUUID();
  if (name.startsWith("evt_")) return name.replace(/[0-9a-f]{32}/, randomBytes(16).toString("hex"));
  const end = 24;
  return name.slice(0, -end) + randomBytes(end).toString("base64url").slice(0, end);
}
