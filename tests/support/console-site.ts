import { timestampNow } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { MirrorState } from "../../gen/signet/v1/change_pb.ts";
import { type Enrolled, signUpWithFactor } from "./authenticator.ts";
import {
  type Clients,
  clientsOf,
  grpcClients,
  openSite,
  type SignedIn,
  signUp,
  type TestSite,
} from "./builders.ts";
import { openTestDatabase } from "./database.ts";
import { fillUsers } from "./many-users.ts";
import { mirrorReport } from "./mirror-reports.ts";
import { freePort, startService, type TestService } from "./service.ts";
import { until } from "./waiting.ts";
import { startReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

/** The real service with a Site in which something has happened, for the console to show. */
export interface ConsoleSite extends AsyncDisposable, TestSite {
  readonly service: TestService;
  /** The database's administrator. */
  readonly adminUrl: string;
  readonly operator: Clients;
  readonly receiver: WebhookReceiver;
  readonly webhookId: string;
  readonly domain: string;
  /** With the role `admin`. */
  readonly admin: SignedIn;
  /** The same, with an authenticator. */
  readonly guardedAdmin: Enrolled;
  /** A User with a Session and a history. */
  readonly ada: SignedIn;
}

/** More than a page of a list holds. */
const USERS = 120;
const DOMAIN = "shop.example.com";

/** Starts the service and lets something happen. Dispose of it at the end. */
export async function openConsoleSite(): Promise<ConsoleSite> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await openTestDatabase());
  const port = await freePort();
  const env = {
    // Browsers sign in on the page of Signet's own address.
    SIGNET_PUBLIC_URL: `http://127.0.0.1:${port}`,
    SIGNET_INTERNAL_HOSTS: "127.0.0.1",
  };
  const service = opened.use(await startService({ databaseUrl: database.appUrl, env, port }));
  const receiver = opened.use(await startReceiver());
  const operator = grpcClients(service.url, service.operatorKey);
  const transport = createGrpcTransport({ baseUrl: service.url });
  const site = await openSite(transport, service.operatorKey, {
    name: "Shop",
    domains: [DOMAIN],
    frontendUrl: `https://${DOMAIN}`,
    publicCalls: true,
    deletionProtected: true,
  });
  await fillUsers(database.adminUrl, { siteId: site.siteId, users: USERS });
  const webhookId = await openWebhook(operator, site, receiver);
  const people = await bringPeople(site, operator, (token) => clientsOf(transport, token));
  await reportMirrors(site);
  await until(() => receiver.accepted.length > 3);
  const things = opened.move();
  return {
    ...site,
    ...people,
    service,
    adminUrl: database.adminUrl,
    operator,
    receiver,
    webhookId,
    domain: DOMAIN,
    [Symbol.asyncDispose]: () => things.disposeAsync(),
  };
}

async function openWebhook(
  { sync }: Clients,
  { siteId }: TestSite,
  receiver: WebhookReceiver,
): Promise<string> {
  const label = "Order system";
  const { webhook, secret } = await sync.createWebhook({ siteId, url: receiver.url, label });
  receiver.secrets.push(secret);
  return webhook?.id ?? "";
}

async function bringPeople(
  { backend, siteId }: TestSite,
  operator: Clients,
  asUser: (accessToken: string) => Clients,
): Promise<Pick<ConsoleSite, "admin" | "guardedAdmin" | "ada">> {
  const ada = await signUp(backend, "ada@lovelace.example.com");
  const admin = await signUp(backend, "grace@hopper.example.com");
  const guardedAdmin = await signUpWithFactor(backend, asUser);
  const roles = { roles: ["admin", "user"] };
  for (const { userId } of [admin, guardedAdmin]) {
    await operator.users.updateUser({ siteId, userId, roles });
  }
  await operator.users.updateUser({
    siteId,
    userId: ada.userId,
    displayName: "Ada Lovelace",
    username: "ada",
    metadata: { plan: "free", seats: 3 },
  });
  await operator.users.inviteUser({ siteId, email: "alan@turing.example.com" });
  return { ada, admin, guardedAdmin };
}

/** One Mirror that is in step, one that lags, and one that has diverged. */
async function reportMirrors({ backend: { sync }, siteId }: TestSite): Promise<void> {
  const { health } = await sync.getSyncHealth({ siteId });
  const position = health?.head ?? 0n;
  const { sums } = health ?? {};
  const own = { epoch: health?.epoch ?? 1, ...(sums && { sums, checkpointSums: sums }) };
  const finishTime = timestampNow();
  const lastReconcile = {
    finishTime,
    position,
    missingCount: 2n,
    staleCount: 1n,
    repairedCount: 3n,
  };
  const software = "signet-client 0.1.0";
  const live = { ...own, name: "shop", position, software, lastReconcile };
  await sync.reportMirror(mirrorReport(live));
  const { LAGGING, DIVERGED } = MirrorState;
  const behind = { ...own, name: "newsletter", state: LAGGING, position: position - 3n };
  await sync.reportMirror(mirrorReport(behind));
  const other = sums && { count: sums.count - 2n, xor: 1n };
  const astray = { ...own, name: "analytics", state: DIVERGED, position };
  await sync.reportMirror(mirrorReport({ ...astray, ...(other && { sums: other }) }));
}
