import type { PasswordHash } from "../crypto/password-hash.ts";
import type { Client, UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { Secret } from "../model/secret.ts";
import type { User } from "../model/user.ts";
import { type Credentials, findCredentials, updatePassword } from "../store/credentials.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import { lockLiveSession } from "../store/sessions.ts";
import { findUser, lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import {
  acceptGuess,
  type CountedGuess,
  checkGuess,
  countGuess,
  forgiveGuesses,
  wrongGuess,
} from "./guesses.ts";
import type { KnownSite } from "./known-sites.ts";
import { refuseNames } from "./new-password.ts";
import { type RenewedSession, renewSession, requireRecentLogin } from "./renewed-session.ts";
import { saveUser, write } from "./write.ts";

/** What a User brings to change the password. */
export interface PasswordChange {
  /** Absent: the Session's last proof must be recent. */
  readonly currentPassword: Secret | undefined;
  readonly newPassword: Secret;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/**
 * Sets a new password for the calling User, whose Session goes on with new tokens while all
 * others end.
 *
 * @throws {Failure} `login_failed` for a wrong present password; `recent_login_required`;
 *   `password_rejected`; `credential_invalid` if the Session has ended meanwhile; `overloaded`.
 */
export async function changePassword(
  deps: Deps,
  caller: UserCaller,
  change: PasswordChange,
): Promise<{ readonly user: User; readonly renewed: RenewedSession }> {
  const { siteId, userId } = caller;
  const known = await deps.sites.get(siteId);
  const { credentials, byPassword } = await findAccount(deps, caller, known, change);
  const { hash, guess } = await hashIfRight(deps, caller, credentials, change);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const locked = await lockUser(tx, siteId, userId);
    const session = byPassword
      ? await lockLiveSession(tx, siteId, caller.sessionId, now)
      : await requireRecentLogin(tx, known.site, caller, now);
    const generation = (await findCredentials(tx, siteId, userId))?.generation;
    if (locked?.user.state !== "active" || !session || generation !== credentials.generation) {
      throw new Failure("credential_invalid");
    }
    await updatePassword(tx, siteId, userId, hash);
    await deleteOneTimeTokens(tx, siteId, userId, "reset_password");
    if (guess) await acceptGuess(tx, siteId, guess);
    await forgiveGuesses(tx, siteId, userId);
    const version = locked.nextVersion;
    const after = { ...locked.user, version, passwordChangeTime: now, updateTime: now };
    const user = await saveUser(deps, tx, locked.user, after, ["user_password_changed"]);
    const renewed = await renewSession(deps, tx, known, session, user, now);
    await addMailJob(tx, { mail: "password_changed", siteId, userId });
    const act = { kind: "user.password_changed", subjectId: userId, clientIp: change.client.ip };
    await recordAct(tx, siteId, caller, act, now);
    return { user, renewed };
  });
}

interface Account {
  readonly credentials: Credentials;
  /** Whether the present password is the proof: with a second factor it proves nothing alone. */
  readonly byPassword: boolean;
}

/**
 * Finds what has to prove the change.
 *
 * @throws {Failure} `recent_login_required`, `password_rejected`.
 */
async function findAccount(
  deps: Deps,
  caller: UserCaller,
  { site }: KnownSite,
  { currentPassword, newPassword }: PasswordChange,
): Promise<Account> {
  const { siteId, userId } = caller;
  return await deps.db.inSite(siteId, async (tx) => {
    const user = await findUser(tx, siteId, { by: "id", id: userId });
    const credentials = await findCredentials(tx, siteId, userId);
    if (!user || !credentials) throw new Failure("credential_invalid");
    const byPassword = currentPassword !== undefined && !user.mfaEnabled;
    if (!byPassword) await requireRecentLogin(tx, site, caller, deps.clock.now());
    refuseNames(newPassword, "new_password", { site, user });
    return { credentials, byPassword };
  });
}

/** A guess at the present password is taken back where the new one cannot be hashed in time. */
async function hashIfRight(
  deps: Deps,
  caller: UserCaller,
  { password: stored }: Credentials,
  { currentPassword, newPassword, client, signal }: PasswordChange,
): Promise<{ readonly hash: PasswordHash; readonly guess: CountedGuess | undefined }> {
  const { siteId, userId } = caller;
  const hashNew = () => deps.hasher.hash({ siteId, signal }, newPassword);
  if (!currentPassword) return { hash: await hashNew(), guess: undefined };
  const guess = await countGuess(deps, siteId, { userId, flow: "password_change", client });
  const checked = guess.allowed ? stored : undefined;
  const hash = await checkGuess(deps, siteId, guess, async () => {
    const right = await deps.hasher.verify({ siteId, signal }, currentPassword, checked);
    return right ? await hashNew() : undefined;
  });
  if (hash) return { hash, guess };
  throw await wrongGuess(deps, caller, siteId, guess);
}
