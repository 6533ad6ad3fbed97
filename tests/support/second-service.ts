import { createGrpcTransport } from "@connectrpc/connect-node";
import { decodeProtectedHeader } from "jose";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { createKey, grpcClients, logIn, openSite, signUp } from "./builders.ts";
import { type RunningExample, startExample } from "./guide-example.ts";
import { openSiteOnService, type SiteOnService } from "./site-on-service.ts";
import { openTradesDatabase, type TradesDatabase } from "./trades-database.ts";

/** A main app, a second service with a database of its own, and the Signet of both. */
export interface SecondService extends SiteOnService {
  readonly database: SiteOnService["database"];
  readonly trades: TradesDatabase;
  readonly mainApp: RunningExample;
  readonly liveData: RunningExample;
  /** Both once more, on a machine whose clock is an hour ahead: no token is still good there. */
  readonly late: { readonly mainApp: RunningExample; readonly liveData: RunningExample };
  /** The site key of the second service. */
  readonly key: string;
  /** Signs somebody new up, and makes a token of theirs for a service. */
  tokenFor(audience: string, lifetimeSeconds?: number): Promise<string>;
}

/** What an answer of either app is. */
export interface AppAnswer {
  readonly status: number;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Runs in the process before its program. */
const CLOCK_AHEAD = `
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...given) { given.length ? super(...given) : super(RealDate.now() + 3_600_000); }
    static now() { return RealDate.now() + 3_600_000; }
  };`;

/** Starts all of them. Dispose of it at the end. */
export async function openSecondService(): Promise<SecondService> {
  const [home, trades] = await Promise.all([openSiteOnService(), openTradesDatabase()]);
  const { operator, service, site } = home;
  const key = await createKey(operator, site.siteId, { scopes: [Scope.SYNC] });
  const settings = { SIGNET_URL: service.url, SIGNET_KEY: key, DATABASE_URL: trades.url };
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(CLOCK_AHEAD)}`;
  const mainKey = await createKey(operator, site.siteId, { scopes: [Scope.AUTH] });
  const liveData = await startExample("row-level-security", settings);
  const forMain = { SIGNET_URL: service.url, SIGNET_KEY: mainKey, LIVE_DATA_URL: liveData.url };
  const [mainApp, lateLiveData, lateMainApp] = await Promise.all([
    startExample("main-app", forMain),
    startExample("row-level-security", { ...settings, NODE_OPTIONS }),
    startExample("main-app", { ...forMain, NODE_OPTIONS }),
  ]);
  const late = { mainApp: lateMainApp, liveData: lateLiveData };
  return {
    ...home,
    trades,
    mainApp,
    liveData,
    late,
    key,
    async tokenFor(audience, lifetimeSeconds = 0) {
      const { email, password } = await signUp(site.backend);
      const { accessToken } = await logIn(site.backend, email, password);
      const { auth } = grpcClients(service.url, accessToken);
      return (await auth.exchangeToken({ audience, lifetimeSeconds })).accessToken;
    },
    async [Symbol.asyncDispose]() {
      const programs = [mainApp, liveData, lateMainApp, lateLiveData];
      await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()));
      await Promise.all([home, trades].map((each) => each[Symbol.asyncDispose]()));
    },
  };
}

/** Calls a page of an app, with headers; a body makes it a POST. */
export async function callApp(
  { url }: Pick<RunningExample, "url">,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: unknown,
): Promise<AppAnswer & { readonly cookie: string }> {
  const answer = await fetch(`${url}${path}`, {
    headers: { "content-type": "application/json", ...headers },
    ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? "";
  return { status: answer.status, text, json: JSON.parse(text), cookie };
}

/** Makes a token for the second service at another Site of the same Signet. */
export async function foreignToken({ service }: Pick<SecondService, "service">): Promise<string> {
  const { url, operatorKey } = service;
  const elsewhere = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  const { accessToken } = await signUp(elsewhere.backend);
  const { auth } = grpcClients(url, accessToken);
  return (await auth.exchangeToken({ audience: "live-data" })).accessToken;
}

/** Fetches the public key by which a token is checked; it needs no credential. */
export async function publicKeyOf(
  { service, site }: Pick<SecondService, "service" | "site">,
  token: string,
): Promise<object> {
  const answer = await fetch(`${service.url}/sites/${site.siteId}/.well-known/jwks.json`);
  const { keys } = (await answer.json()) as { readonly keys: { readonly kid: string }[] };
  const key = keys.find(({ kid }) => kid === decodeProtectedHeader(token).kid);
  if (!key) throw new Error("the key of the token is not published");
  return key;
}
