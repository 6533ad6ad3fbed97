import { setTimeout as sleep } from "node:timers/promises";
import { createTokenVerifier, ErrorReason, reasonOf, type User } from "../client/index.ts";
import { type AppMirror, follow } from "./app-mirror.ts";
import { DemoError, ensure, type Narrator } from "./narrator.ts";
import { type App, clearScene, findByEmail, type Scene, seenByBoth, setScene } from "./scene.ts";
import type { ServiceProcess } from "./service-process.ts";

const MISSED_USERS = 200;
const LOCAL_CHECKS = 100;
/** What Signet promises for every process. */
const REFUSAL_MS_MAX = 1_000;

/** What Ada holds after she has signed in. */
interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/**
 * Plays the main job from the first Site to the last Change, over the RPCs that apps use.
 *
 * @throws {DemoError} if something is not as it should be.
 */
export async function playStory(
  service: ServiceProcess,
  operatorKey: string,
  narrator: Narrator,
): Promise<void> {
  const scene = await setScene(service, operatorKey, narrator);
  await register(scene);
  const tokens = await signIn(scene);
  await checkToken(scene, tokens);
  const refreshed = await refresh(scene, tokens);
  await rename(scene);
  await resume(scene);
  await logOut(scene, refreshed);
  await deleteAda(scene);
  await clearScene(scene);
}

async function register(scene: Scene): Promise<void> {
  const { narrator, output, ada, appA, appB } = scene;
  const { auth } = appA.client;
  const beginMs = performance.now();
  const isThere = (mirror: AppMirror) => findByEmail(mirror, ada.email) !== undefined;
  await seenByBoth(scene, "Ada registers", () => auth.register(ada), isThere);
  ensure(findByEmail(appB.mirror, ada.email)?.emailVerified === false, "Ada is not verified yet");

  const mail = /to: +ada@example\.com\n(?:.+\n)*? *link: +(\S+)/;
  const [, link = ""] = await output.waitFor(mail, "the mail to Ada");
  narrator.tell(performance.now() - beginMs, "…and has her mail, since she registered");
  const token = URL.parse(link)?.searchParams.get("token") ?? "";
  ensure(token !== "", "the link in the mail has a token");

  const isVerified = (mirror: AppMirror) => findByEmail(mirror, ada.email)?.emailVerified === true;
  const verify = () => auth.verifyEmail({ token });
  await seenByBoth(scene, "Ada verifies her address", verify, isVerified);
}

async function signIn({ narrator, appA, ada }: Scene): Promise<Tokens> {
  const identifier = { case: "email", value: ada.email } as const;
  const { result } = await narrator.time("Ada logs in at app A", () =>
    appA.client.auth.login({ identifier, password: ada.password }),
  );
  ensure(result.case === "session", "Login starts a Session");
  const { tokens, user } = result.value;
  ensure(tokens !== undefined && user?.email === ada.email, "Login answers with tokens and Ada");
  return tokens;
}

async function checkToken({ narrator, site, appB }: Scene, { accessToken }: Tokens): Promise<void> {
  const verifier = createTokenVerifier({ issuer: site.issuer, audience: site.issuer });
  await narrator.time("app B fetches the public keys and checks her token", () =>
    verifier.verify(accessToken),
  );
  await narrator.time(`…and ${LOCAL_CHECKS} times more, without a call`, async () => {
    for (let n = 0; n < LOCAL_CHECKS; n += 1) await verifier.verify(accessToken);
  });
  const { result } = await narrator.time("app B asks ValidateToken", () =>
    appB.client.auth.validateToken({ token: accessToken }),
  );
  ensure(result.case === "valid", "ValidateToken says that the token is good");
}

async function refresh({ narrator, appA }: Scene, { refreshToken }: Tokens): Promise<Tokens> {
  const { tokens } = await narrator.time("app A refreshes the tokens", () =>
    appA.client.auth.refreshToken({ refreshToken }),
  );
  ensure(tokens !== undefined, "RefreshToken answers with tokens");
  ensure(tokens.refreshToken !== refreshToken, "the refresh token was replaced");
  return tokens;
}

async function rename(scene: Scene): Promise<void> {
  const { appA, appB, ada } = scene;
  const userId = findByEmail(appB.mirror, ada.email)?.id ?? "";
  const displayName = "Ada Lovelace";
  await seenByBoth(
    scene,
    "app A gives Ada her full name",
    () => appA.client.users.updateUser({ userId, displayName }),
    ({ users }) => users.get(userId)?.displayName === displayName,
  );
}

/** App B is away while Users come, change and go; it resumes from its cursor. */
async function resume({ narrator, appA, appB }: Scene): Promise<void> {
  await appB.following.stop();
  const written = await narrator.time(
    `app B is down while ${MISSED_USERS} Users come, change and go`,
    () => writeUsers(appA),
  );
  await narrator.time("app B resumes from its cursor and has missed nothing", async () => {
    appB.following = follow(appB.client, appB.mirror);
    await appB.following.waitUntil("app B has all that was written", () =>
      hasAll(appB.mirror, written),
    );
  });
  await appA.following.waitUntil("app A has all that was written", () =>
    hasAll(appA.mirror, written),
  );
  ensure(appA.mirror.users.size === appB.mirror.users.size, "both apps have the same Users");
}

/** Creates Users, changes some and deletes some; returns the last version of each. */
async function writeUsers({ client: { users } }: App): Promise<Map<string, bigint>> {
  const written = new Map<string, bigint>();
  const note = ({ user }: { readonly user?: User | undefined }): string => {
    ensure(user !== undefined, "a write answers with the User");
    written.set(user.id, user.version);
    return user.id;
  };
  const work = Array.from({ length: MISSED_USERS }, async (_, n) => {
    const userId = note(await users.createUser({ email: `user-${n}@example.com` }));
    if (n % 2 === 0) note(await users.updateUser({ userId, displayName: `User ${n}` }));
    if (n % 10 === 0) note(await users.deleteUser({ userId }));
  });
  await Promise.all(work);
  return written;
}

function hasAll({ users }: AppMirror, written: ReadonlyMap<string, bigint>): boolean {
  return written.entries().every(([id, version]) => users.get(id)?.version === version);
}

async function logOut(scene: Scene, { accessToken, refreshToken }: Tokens): Promise<void> {
  const { narrator, appA, appB } = scene;
  await narrator.time("Ada logs out at app A", () => appA.client.auth.logout({ refreshToken }));
  await narrator.time("ValidateToken refuses her token, to app A and to app B", () =>
    Promise.all([refusal(appA, accessToken), refusal(appB, accessToken)]),
  );
  const again = await narrator.time("…and her refresh token is refused too", () =>
    appA.client.auth.refreshToken({ refreshToken }).catch(reasonOf),
  );
  ensure(again === ErrorReason.REFRESH_TOKEN_INVALID, "her refresh token is refused");
}

/** Resolves when ValidateToken refuses the token. */
async function refusal({ client, name }: App, token: string): Promise<void> {
  const beginMs = performance.now();
  while (performance.now() - beginMs < REFUSAL_MS_MAX) {
    const { result } = await client.auth.validateToken({ token });
    if (result.case === "invalid") return;
    await sleep(5);
  }
  throw new DemoError(`app ${name}: the token is still good ${REFUSAL_MS_MAX} ms after the logout`);
}

async function deleteAda(scene: Scene): Promise<void> {
  const { appA, appB, ada } = scene;
  const userId = findByEmail(appB.mirror, ada.email)?.id ?? "";
  await seenByBoth(
    scene,
    "app A deletes Ada",
    () => appA.client.users.deleteUser({ userId }),
    ({ users }) => users.get(userId)?.deleteTime !== undefined,
  );
  ensure(findByEmail(appB.mirror, ada.email) === undefined, "nothing personal is left of her");
}
