import { clientsOf } from "./builders.ts";
import { isRejected } from "./model-account-moves.ts";
import { isCredential, keepTokens } from "./model-session-moves.ts";
import type { AccessToken, ModelSession, ModelSite, ModelUser, World } from "./model-state.ts";
import {
  alter,
  clientsAs,
  endSessions,
  expectUser,
  expectVersion,
  judge,
  unless,
  voidLinks,
  withCredential,
} from "./model-verdict.ts";

const GUESSES_MAX = 20;

/** How somebody says who they are. */
export interface Claim {
  readonly by: "email" | "username";
  readonly name: string;
  readonly password: string;
}

/** Signs in, rightly or not. */
export async function login(world: World, site: ModelSite, claim: Claim): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const { by, name, password } = claim;
  const user = site.users.find((one) => one[by] === name && one.state !== "DELETED");
  const isCounted = user !== undefined && user.guesses < GUESSES_MAX;
  const isRight = isCounted && user.state === "ACTIVE" && user.password === password;
  const reasons = { LOGIN_FAILED: !isRight, EMAIL_UNVERIFIED: isRight && !user.emailVerified };
  await judge(
    () => auth.login({ identifier: { case: by, value: name }, password }),
    unless(reasons, ({ result }) => {
      if (result.case !== "session" || !user) throw new Error(`a login became ${result.case}`);
      const { session: told, tokens, user: toldUser } = result.value;
      expectUser(user, toldUser);
      const id = told?.id ?? "";
      const session = { id, user, accessTokens: [], refreshTokens: [], alive: true };
      user.sessions.push(session);
      keepTokens(session, tokens);
    }),
  );
  if (isRight) user.guesses = 0;
  else if (isCounted) user.guesses += 1;
}

/** Guesses at an account, at both processes at once: of any number the limit alone counts. */
export async function guessAtOnce(
  { transports }: World,
  site: ModelSite,
  user: ModelUser,
  times: number,
): Promise<void> {
  const identifier = { case: "email", value: user.email || "nobody@example.com" } as const;
  const guesses = Array.from({ length: times }, (_, n) => {
    const { auth } = clientsOf(transports[n % 2 === 0 ? 0 : 1], site.backend.secret);
    const call = () => auth.login({ identifier, password: `guess number ${n}` });
    return judge(call, { refused: ["LOGIN_FAILED"] });
  });
  await Promise.all(guesses);
  if (user.state !== "DELETED") user.guesses = Math.min(GUESSES_MAX, user.guesses + times);
}

/** Changes a password with the present one, rightly or not. */
export async function changePassword(
  world: World,
  site: ModelSite,
  [session, token]: readonly [ModelSession, AccessToken],
  [currentPassword, newPassword]: readonly [string, string],
): Promise<void> {
  const { auth } = withCredential(world, token.text);
  const { user } = session;
  const admitted = isCredential(session, token);
  const isRefused = isRejected(site, newPassword);
  const isCounted = admitted && !isRefused && user.guesses < GUESSES_MAX;
  const isRight = isCounted && user.password === currentPassword;
  const reasons = {
    CREDENTIAL_INVALID: !admitted,
    PASSWORD_REJECTED: admitted && isRefused,
    LOGIN_FAILED: admitted && !isRefused && !isRight,
  };
  await judge(
    () => auth.changePassword({ currentPassword, newPassword }),
    unless(reasons, (told) => {
      user.guesses = 0;
      endSessions(site, user, session);
      voidLinks(site, user, "RESET_PASSWORD");
      for (const earlier of session.refreshTokens) earlier.isVoid = true;
      alter(site, user, { password: newPassword }, ["PASSWORD_CHANGED"]);
      keepTokens(session, told.tokens);
      expectVersion(user, told);
    }),
  );
  if (isCounted && !isRight) user.guesses += 1;
}
