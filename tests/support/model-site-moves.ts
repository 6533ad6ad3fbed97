import { expect } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { clientsOf, refusal, unique } from "./builders.ts";
import type { Actor, ModelKey, ModelSite, ModelUser, World } from "./model-state.ts";
import { openChangeStream } from "./model-stream.ts";
import { clientsAs, expectUser, judge, unless, withCredential } from "./model-verdict.ts";
import { until } from "./waiting.ts";

/** Everything that ends, ends within a second; a loaded machine may take longer to show it. */
const SETTLES_WITHIN_MS = 60_000;
const PASSWORD_LENGTH_MIN = 15;
const WRITER_SCOPES = ["USERS_READ", "USERS_WRITE"];
const BACKEND_SCOPES = ["AUTH", "AUTH_TOKENS", ...WRITER_SCOPES, "SYNC", "SITE_ADMIN"];

/** Opens a Site, with two keys and a subscriber; `taken` is a Site whose domain is asked for. */
export async function createSite(world: World, taken?: ModelSite): Promise<void> {
  const { sites } = withCredential(world, world.operatorKey);
  const domain = taken?.domain ?? `${unique("model")}.example.com`;
  const settings = { name: "Model", domains: [domain], frontendUrl: `https://${domain}` };
  if (taken) {
    await judge(() => sites.createSite(settings), { refused: ["DOMAIN_TAKEN"] });
    return;
  }
  const { site } = await sites.createSite(settings);
  const id = site?.id ?? "";
  const backend = await makeKey(world, world.operatorKey, id, BACKEND_SCOPES);
  const writer = await makeKey(world, world.operatorKey, id, WRITER_SCOPES);
  const [transport] = world.transports;
  world.sites.push({
    id,
    domain,
    backend,
    writer,
    users: [],
    links: [],
    keys: [],
    changes: [],
    stream: await openChangeStream(clientsOf(transport, backend.secret).sync),
    version: Number(site?.version),
    name: settings.name,
    selfRegistration: true,
    passwordLengthMin: PASSWORD_LENGTH_MIN,
    gone: false,
  });
}

/** What is changed of a Site. */
export type SiteFields = Partial<
  Pick<ModelSite, "name" | "selfRegistration" | "passwordLengthMin">
>;

/** Changes settings of a Site, for a version or for any. */
export async function updateSite(
  world: World,
  site: ModelSite,
  actor: Actor,
  { fields, staleBy }: { readonly fields: SiteFields; readonly staleBy: number | undefined },
): Promise<void> {
  const { sites, siteId } = clientsAs(world, site, actor);
  const version = staleBy === undefined ? {} : { expectedVersion: BigInt(site.version - staleBy) };
  const mayNot = actor === "writer";
  const reasons = { ACCESS_DENIED: mayNot, VERSION_MISMATCH: !mayNot && (staleBy ?? 0) !== 0 };
  await judge(
    () => sites.updateSite({ siteId, ...fields, ...version }),
    unless(reasons, ({ site: told }) => {
      const before = { ...site };
      Object.assign(site, fields);
      const names = ["name", "selfRegistration", "passwordLengthMin"] as const;
      if (names.some((name) => site[name] !== before[name])) site.version += 1;
      expect(told).toMatchObject({ name: site.name, version: BigInt(site.version) });
    }),
  );
  const { name, selfRegistration, passwordLengthMin } = site;
  await onBoth(world, world.operatorKey, async ({ sites: each }) => {
    const { site: told } = await each.getSiteByDomain({ domain: site.domain });
    const { name: toldName, selfRegistration: toldOpen, passwordLengthMin: toldMin } = told ?? {};
    return toldName === name && toldOpen === selfRegistration && toldMin === passwordLengthMin;
  });
}

/** Closes a Site: nobody gets in any more, and to operators it is as if it had never been. */
export async function deleteSite(world: World, site: ModelSite): Promise<void> {
  const { sites } = withCredential(world, world.operatorKey);
  await judge(
    () => sites.deleteSite({ siteId: site.id }),
    unless({}, () => {
      site.gone = true;
    }),
  );
  await onBoth(world, world.operatorKey, async ({ users }) =>
    isRefused(users.listUsers({ siteId: site.id }), "SITE_NOT_FOUND"),
  );
  await onBoth(world, site.backend.secret, async ({ users }) =>
    isRefused(users.listUsers({}), "CREDENTIAL_INVALID"),
  );
  await site.stream[Symbol.asyncDispose]();
}

/** Makes a key with some scopes. */
export async function createKey(
  world: World,
  site: ModelSite,
  actor: Actor,
  scopes: readonly string[],
): Promise<void> {
  const { sites, siteId } = clientsAs(world, site, actor);
  await judge(
    () => sites.createApiKey({ siteId, label: "model", scopes: scopes.map(scopeOf) }),
    unless({ ACCESS_DENIED: actor === "writer" }, ({ apiKey, secret }) => {
      site.keys.push({ id: apiKey?.id ?? "", secret, scopes, good: true });
    }),
  );
}

/** Revokes a key, which may be one of another Site. */
export async function revokeKey(world: World, site: ModelSite, key: ModelKey): Promise<void> {
  const { sites } = clientsAs(world, site, "backend");
  await judge(
    () => sites.revokeApiKey({ apiKeyId: key.id }),
    unless({ API_KEY_NOT_FOUND: !site.keys.includes(key) }, () => {
      key.good = false;
    }),
  );
  if (key.good) return;
  await onBoth(world, key.secret, ({ sites: each }) =>
    isRefused(each.getSite({}), "CREDENTIAL_INVALID"),
  );
}

/** Reads a User, who may be of another Site, by a key of a Site. */
export async function readByKey(
  world: World,
  site: ModelSite,
  key: ModelKey,
  { id: userId }: ModelUser,
): Promise<void> {
  const { users } = withCredential(world, key.secret);
  const admitted = key.good && key.scopes.includes("USERS_READ");
  // The same id may belong to a User of each Site.
  const own = site.users.find(({ id, state }) => id === userId && state !== "DELETED");
  const reasons = {
    CREDENTIAL_INVALID: !key.good,
    ACCESS_DENIED: key.good && !admitted,
    USER_NOT_FOUND: admitted && !own,
  };
  await judge(
    () => users.getUser({ userId }),
    unless(reasons, ({ user: told }) => {
      if (own) expectUser(own, told);
    }),
  );
}

/** Leaves the stream of Changes, and resumes it at the other process. */
export async function resumeStream(world: World, site: ModelSite): Promise<void> {
  await site.stream.reopen(clientsAs(world, site, "backend").sync);
}

async function makeKey(
  world: World,
  credential: string,
  siteId: string,
  scopes: readonly string[],
): Promise<ModelKey> {
  const { sites } = withCredential(world, credential);
  const request = { siteId, label: "model", scopes: scopes.map(scopeOf) };
  const { apiKey, secret } = await sites.createApiKey(request);
  return { id: apiKey?.id ?? "", secret, scopes, good: true };
}

function scopeOf(name: string): Scope {
  const scope = Object.entries(Scope).find(([each]) => each === name)?.[1];
  if (typeof scope !== "number") throw new Error(`no scope is called ${name}`);
  return scope;
}

async function onBoth(
  { transports }: World,
  credential: string,
  check: (clients: ReturnType<typeof clientsOf>) => Promise<boolean>,
): Promise<void> {
  for (const transport of transports) {
    const clients = clientsOf(transport, credential);
    await until(() => check(clients), SETTLES_WITHIN_MS);
  }
}

async function isRefused(call: Promise<unknown>, reason: string): Promise<boolean> {
  return (await refusal(call)).reason === reason;
}
