import { newTotpSecret, totpUri } from "../crypto/totp.ts";
import type { Caller, Client, UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Session } from "../model/session.ts";
import type { User } from "../model/user.ts";
import { isGeneration } from "../store/credentials.ts";
import type { LoginChallenge } from "../store/login-challenges.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { confirmTotpFactor, findTotpFactor, replaceTotpFactor } from "../store/second-factors.ts";
import { updateSessionProof } from "../store/sessions.ts";
import type { Queryable } from "../store/sql.ts";
import { type LockedUser, lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, countGuess, tellWrongGuess } from "./guesses.ts";
import { rememberDevice } from "./known-devices.ts";
import type { KnownSite } from "./known-sites.ts";
import { findPresentedChallenge, useChallenge } from "./login-challenges.ts";
import { renewSession, requireRecentLogin } from "./renewed-session.ts";
import { acceptTotpCode, renewRecoveryCodes, sealTotpSecret } from "./second-factor.ts";
import { endAllSessions } from "./sessions.ts";
import { type StartedSession, startSession } from "./started-session.ts";
import { saveUser, write } from "./write.ts";

/** The secret of a new authenticator, shown once. */
export interface Enrollment {
  readonly secret: Secret;
  readonly uri: Secret;
  readonly expireTime: Date;
}

/**
 * Starts to enrol an authenticator, for the calling User or for a login that waits for it.
 *
 * @throws {Failure} `one_time_token_invalid`, `recent_login_required`, `mfa_already_enrolled`,
 *   `mfa_policy`.
 */
export async function enrollTotp(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { enrollmentToken, client }: { readonly enrollmentToken: string; readonly client: Client },
): Promise<Enrollment> {
  const known = await deps.sites.get(siteId);
  const { site } = known;
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const enroller = await lockEnroller(tx, caller, known, enrollmentToken, now);
    const { user } = enroller.locked;
    const secret = newTotpSecret();
    const lifetimeMs = site.lifetimes.mfaChallengeSeconds * 1_000;
    const expireTime = enroller.challenge?.expireTime ?? new Date(now.getTime() + lifetimeMs);
    const secretSealed = sealTotpSecret(deps, siteId, user.id, secret);
    await replaceTotpFactor(tx, siteId, user.id, { secretSealed, expireTime }, now);
    const act = { kind: "user.mfa_enrollment_started", subjectId: user.id, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    const account = user.email ?? user.username ?? user.id;
    return { secret, uri: totpUri(secret, { issuer: site.name, account }), expireTime };
  });
}

/** What confirms an enrolment. */
export interface TotpConfirmation {
  readonly enrollmentToken: string;
  readonly code: string;
  readonly client: Client;
}

/** The Session that starts or goes on, and the recovery codes, shown once. */
export interface ConfirmedTotp {
  readonly started: StartedSession;
  readonly recoveryCodes: readonly Secret[];
}

/**
 * Confirms an enrolment with a code: from then on every login takes one. All other Sessions
 * end, since they were started without it.
 *
 * @throws {Failure} `login_failed` for a wrong code; `mfa_not_enrolled`, and those of
 *   {@link enrollTotp}.
 */
export async function confirmTotp(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { enrollmentToken, code, client }: TotpConfirmation,
): Promise<ConfirmedTotp> {
  const known = await deps.sites.get(siteId);
  const userId = await enrollerOf(deps, caller, siteId, enrollmentToken);
  const guess = await countGuess(deps, siteId, { userId, flow: "enrollment", client });
  const confirmed = await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const enroller = await lockEnroller(tx, caller, known, enrollmentToken, now);
    const factor = await findTotpFactor(tx, siteId, userId);
    if (!factor || factor.confirmed || factor.expireTime <= now) {
      throw new Failure("mfa_not_enrolled");
    }
    if (!guess.allowed || !(await acceptTotpCode(deps, tx, siteId, userId, factor, code, now))) {
      await tellWrongGuess(deps, tx, caller, siteId, guess);
      return undefined; // Committed; the refusal follows.
    }
    await confirmTotpFactor(tx, siteId, userId, now);
    await acceptGuess(tx, siteId, guess);
    const recoveryCodes = await renewRecoveryCodes(tx, siteId, userId);
    const { user: before, nextVersion: version } = enroller.locked;
    const after = { ...before, version, mfaEnabled: true, updateTime: now };
    const user = await saveUser(deps, tx, before, after, ["user_mfa_changed"]);
    await addMailJob(tx, { mail: "mfa_changed", siteId, userId });
    const act = { kind: "user.mfa_enrolled", subjectId: userId, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    const started = await goOn(deps, tx, caller, known, enroller, user, client, now);
    return { started, recoveryCodes };
  });
  if (!confirmed) throw new Failure("login_failed");
  return confirmed;
}

/** A User who enrols: with a Session of its own, or in the middle of a login. */
type Enroller = { readonly locked: LockedUser } & (
  | { readonly session: Session; readonly challenge?: undefined }
  | { readonly session?: undefined; readonly challenge: LoginChallenge }
);

async function lockEnroller(
  tx: Queryable,
  caller: Caller,
  { site }: KnownSite,
  enrollmentToken: string,
  now: Date,
): Promise<Enroller> {
  if (site.mfaPolicy === "off") throw new Failure("mfa_policy");
  const challenge =
    caller.kind === "user"
      ? undefined
      : await findPresentedChallenge(tx, site.id, enrollmentToken, "enrollment", now);
  const userId = challenge?.userId ?? (caller as UserCaller).userId;
  const locked = await lockUser(tx, site.id, userId);
  const isVoid = challenge && !(await isGeneration(tx, site.id, userId, challenge.generation));
  if (locked?.user.state !== "active" || isVoid) {
    throw new Failure(challenge ? "one_time_token_invalid" : "credential_invalid");
  }
  if (locked.user.mfaEnabled) throw new Failure("mfa_already_enrolled");
  if (challenge) return { locked, challenge };
  return { locked, session: await requireRecentLogin(tx, site, caller as UserCaller, now) };
}

/** Finds whose guesses are to be counted. */
async function enrollerOf(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  enrollmentToken: string,
): Promise<UserId> {
  if (caller.kind === "user") return caller.userId;
  const { userId } = await deps.db.inSite(
    siteId,
    (tx) => findPresentedChallenge(tx, siteId, enrollmentToken, "enrollment", deps.clock.now()),
    { readOnly: true },
  );
  return userId;
}

async function goOn(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  known: KnownSite,
  { session, challenge }: Enroller,
  user: User,
  client: Client,
  now: Date,
): Promise<StartedSession> {
  const { site } = known;
  const amr = ["pwd", "otp", "mfa"];
  if (session) {
    const proved = await updateSessionProof(tx, site.id, session.id, { authTime: now, amr });
    const renewed = await renewSession(deps, tx, known, proved, user, now);
    return {
      ...renewed,
      user,
      deviceToken: await rememberDevice(tx, site.id, user.id, client, now),
    };
  }
  await useChallenge(tx, site.id, challenge, now);
  const { generation } = await endAllSessions(tx, site.id, user.id, now);
  // One higher than it was at the password, unless something else has voided the login.
  if (generation !== challenge.generation + 1) throw new Failure("login_failed");
  const { audiences } = challenge;
  const device = { ...client, ...challenge.client }; // As it was at the password.
  const login = { user, generation, audiences, client: device, amr };
  return await startSession(deps, tx, caller, known, login, now);
}
