import { logIn, type SignedIn, signUp, uniqueEmail } from "./builders.ts";
import type { EdgeProxy, ProxiedServices } from "./edge-proxy.ts";
import type { HeaderList } from "./header-call.ts";
import { startHeaderMirror } from "./header-mirror.ts";
import type { HttpTarget } from "./http-target.ts";
import { openSiteOnService, type SiteOnService } from "./site-on-service.ts";

/** Signet, an app that tells what it gets, and a proxy between them. */
export interface ProxiedSite extends AsyncDisposable {
  readonly signet: SiteOnService;
  readonly app: HttpTarget;
  readonly proxy: EdgeProxy;
  readonly user: SignedIn;
  readonly admin: SignedIn;
}

/** The cookie that holds an access token. */
export const TOKEN_COOKIE = "token";

/** Starts all of it, with a User and an admin. Dispose of it at the end. */
export async function openProxiedSite(
  startProxy: (services: ProxiedServices) => Promise<EdgeProxy>,
): Promise<ProxiedSite> {
  await using started = new AsyncDisposableStack();
  const signet = started.use(
    await openSiteOnService({
      SIGNET_FORWARD_AUTH_COOKIE: TOKEN_COOKIE,
      SIGNET_FORWARD_AUTH_LOGIN_URL: "https://login.example.com/",
    }),
  );
  const app = started.use(await startHeaderMirror());
  const proxy = started.use(await startProxy({ signetUrl: signet.service.url, appUrl: app.url }));
  const user = await signUp(signet.site.backend);
  const admin = await signUpAdmin(signet);
  const all = started.move();
  return { signet, app, proxy, user, admin, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** The identity that the app has to see: what there is of it, and no more. */
export function identityOf(
  { signet: { site } }: ProxiedSite,
  { userId, email }: Pick<SignedIn, "userId" | "email">,
  role = "user",
): HeaderList {
  const all = [
    ["x-site-id", site.siteId],
    ["x-user-email", email],
    ["x-user-id", userId],
    ["x-user-role", role],
  ] as const;
  return all.filter(([, value]) => value !== "");
}

/** The header that a client of an API sends. */
export function bearerOf({ accessToken }: Pick<SignedIn, "accessToken">): HeaderList {
  return [["Authorization", `Bearer ${accessToken}`]];
}

async function signUpAdmin({ site: { backend } }: SiteOnService): Promise<SignedIn> {
  const signedUp = await signUp(backend, uniqueEmail());
  const { userId, email, password } = signedUp;
  await backend.users.updateUser({ userId, roles: { roles: ["admin"] } });
  return { ...signedUp, ...(await logIn(backend, email, password)) };
}
