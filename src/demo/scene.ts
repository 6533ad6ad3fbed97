import { randomBytes } from "node:crypto";
import {
  createSignetClient,
  Scope,
  type SignetClient,
  type Site,
  type User,
} from "../client/index.ts";
import { type AppMirror, type Following, follow } from "./app-mirror.ts";
import { ensure, type Narrator } from "./narrator.ts";
import type { ServiceProcess } from "./service-process.ts";

/** An app of the story: its backend's client, and its own copy of the Users. */
export interface App {
  readonly name: string;
  readonly client: SignetClient;
  readonly mirror: AppMirror;
  following: Following;
}

/** Who and what the story is about. */
export interface Scene {
  readonly narrator: Narrator;
  readonly output: ServiceProcess["output"];
  readonly operator: SignetClient;
  readonly site: Site;
  readonly appA: App;
  readonly appB: App;
  readonly ada: { readonly email: string; readonly password: string };
}

/** Sets the scene: a Site, and two apps that follow its Users. */
export async function setScene(
  { url, output }: ServiceProcess,
  operatorKey: string,
  narrator: Narrator,
): Promise<Scene> {
  const operator = createSignetClient({ url, key: operatorKey });
  const site = await narrator.time("an operator creates a Site", () => createSite(operator));
  const [appA, appB] = await narrator.time("apps A and B get a key each and follow its Users", () =>
    Promise.all([openApp(url, operator, site, "A"), openApp(url, operator, site, "B")]),
  );
  const ada = { email: "ada@example.com", password: randomBytes(18).toString("base64url") };
  return { narrator, output, operator, site, appA, appB, ada };
}

/** Closes what the scene has opened. */
export async function clearScene({ operator, appA, appB }: Scene): Promise<void> {
  for (const { following, client } of [appA, appB]) {
    await following.stop();
    client.close();
  }
  operator.close();
}

/** Does something and tells how long it took, and when each app had it in its mirror. */
export async function seenByBoth<T>(
  { narrator, appA, appB }: Scene,
  what: string,
  work: () => Promise<T>,
  isSo: (mirror: AppMirror) => boolean,
): Promise<T> {
  const beginMs = performance.now();
  const sinceMs = () => performance.now() - beginMs;
  const seenMs = ({ following, mirror, name }: App) =>
    following.waitUntil(`app ${name} sees that ${what}`, () => isSo(mirror)).then(sinceMs);
  const answer = work().then((result) => ({ result, ms: sinceMs() }));
  const [{ result, ms }, aMs, bMs] = await Promise.all([answer, seenMs(appA), seenMs(appB)]);
  narrator.tell(ms, `${what}; in the mirror of A after ${aMs.toFixed(1)}, of B ${bMs.toFixed(1)}`);
  return result;
}

/** Finds a User in a mirror by its address. */
export function findByEmail({ users }: AppMirror, email: string): User | undefined {
  return users.values().find((user) => user.email === email);
}

async function createSite({ sites }: SignetClient): Promise<Site> {
  const { site } = await sites.createSite({
    name: "Demo",
    domains: ["demo.example.com"],
    frontendUrl: "https://demo.example.com",
  });
  ensure(site !== undefined, "CreateSite answers with the Site");
  return site;
}

async function openApp(
  url: string,
  operator: SignetClient,
  site: Site,
  name: string,
): Promise<App> {
  const { secret } = await operator.sites.createApiKey({
    siteId: site.id,
    label: `app ${name}`,
    scopes: [Scope.AUTH, Scope.USERS_READ, Scope.USERS_WRITE, Scope.SYNC],
  });
  const client = createSignetClient({ url, key: secret });
  const mirror: AppMirror = { users: new Map(), cursor: "" };
  const following = follow(client, mirror);
  await following.live();
  return { name, client, mirror, following };
}
