import type { PasswordHash } from "../crypto/password-hash.ts";
import type { Caller, Client } from "../model/caller.ts";
import type { EmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import { newUser, type User } from "../model/user.ts";
import { findAccountBy } from "../store/accounts.ts";
import { findCredentials, insertCredentials, updatePassword } from "../store/credentials.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, firstVersion, type LockedUser, lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { refuseNames } from "./new-password.ts";
import { type MintedOneTimeToken, mintOneTimeToken } from "./one-time.ts";
import { changesBetween } from "./user-changes.ts";
import { saveNewUser, saveUser, write } from "./write.ts";

/** What a person brings to register. */
export interface Registration {
  readonly id: UserId | undefined;
  readonly email: EmailAddress;
  /** Absent: set when the address is verified. */
  readonly password: Secret | undefined;
  readonly username: string | undefined;
  readonly displayName: string;
  readonly locale: string;
  readonly redirectUrl: string;
  /** Whether the caller sends the mail itself, and so gets the token. */
  readonly returnToken: boolean;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/** What came of it; `user` is absent where the address has a verified account. */
export interface Registered {
  readonly user: User | undefined;
  readonly token: MintedOneTimeToken | undefined;
}

/**
 * Registers a person, and sends the mail that asks to verify the address.
 *
 * The same work is done whether or not the address has an account, and the answer does not
 * tell. An earlier registration that still waits keeps its password only if both are the same.
 * The password is compared with the names of the call alone: those of an account would tell.
 *
 * @throws {Failure} `self_registration_off`, `password_rejected`, `overloaded`, `id_taken`,
 *   `unavailable`.
 */
export async function register(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  registration: Registration,
): Promise<Registered> {
  const { site } = await deps.sites.get(siteId);
  if (!site.selfRegistration) throw new Failure("self_registration_off");
  const { password } = registration;
  if (password) refuseNames(password, "password", { site, user: registration });
  const hash = await hashPassword(deps, siteId, registration);
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    const compared = await comparePassword(deps, siteId, registration);
    const registered = await attempt(compared).catch(toUndefinedIfTaken);
    if (registered) return registered;
  }
  throw new Failure("unavailable", {}, { retryDelayMs: 1_000 });

  function attempt(compared: ComparedPassword): Promise<Registered | undefined> {
    return write(deps, siteId, async (tx) => {
      const known = await findUser(tx, siteId, { by: "email", email: registration.email });
      if (!known) return await createUser(deps, tx, caller, site, registration, hash);
      const isRepeat = registration.id === known.id && known.state === "active";
      if (isRepeat) return { user: known, token: undefined };
      if (known.emailVerified || known.state !== "active") {
        return await tellOwner(deps, tx, caller, known, registration);
      }
      return await registerAgain(deps, tx, caller, site, known.id, registration, compared);
    });
  }
}

/** A registration starts over when another one of the same address was quicker. */
const ROUNDS_MAX = 3;
/** So soon after the first, the same registration is the same click: its mail is under way. */
const REPEAT_MS = 10_000;

/** Of two at the same instant, the second finds what the first has taken. */
function toUndefinedIfTaken(error: unknown): undefined {
  const taken = ["email_taken", "username_taken"];
  if (error instanceof Failure && taken.includes(error.reason)) return undefined;
  throw error;
}

async function hashPassword(
  deps: Deps,
  siteId: SiteId,
  { password, signal }: Registration,
): Promise<PasswordHash | undefined> {
  return password && (await deps.hasher.hash({ siteId, signal }, password));
}

/** Whether the password is the one of an earlier registration, as it was stored then. */
interface ComparedPassword {
  readonly stored: PasswordHash | undefined;
  readonly same: boolean;
}

/** Compares before the transaction, and does the same work in every case. */
async function comparePassword(
  deps: Deps,
  siteId: SiteId,
  { email, password, signal }: Registration,
): Promise<ComparedPassword> {
  const account = await findAccountBy(deps.db.readIn(siteId), siteId, { by: "email", email });
  const stored = account?.credentials.password;
  if (!password) return { stored, same: stored === undefined };
  return { stored, same: await deps.hasher.verify({ siteId, signal }, password, stored) };
}

async function createUser(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  site: Site,
  registration: Registration,
  hash: PasswordHash | undefined,
): Promise<Registered> {
  const now = deps.clock.now();
  const user = newUser({
    id: registration.id ?? newId<UserId>(now),
    siteId: site.id,
    version: await firstVersion(tx, site.id),
    email: registration.email,
    username: await freeUsername(tx, site.id, registration.username),
    displayName: registration.displayName,
    locale: registration.locale,
    passwordChangeTime: hash && now,
    createTime: now,
  });
  await saveNewUser(deps, tx, user);
  await insertCredentials(tx, site.id, user.id, hash);
  const act = { kind: "user.registered", subjectId: user.id, clientIp: registration.client.ip };
  await recordAct(tx, site.id, caller, act, now);
  return { user, token: await askToVerify(tx, site, user, registration, now) };
}

/** A username that another User has is left out: to say so would tell who has it. */
async function freeUsername(
  tx: Queryable,
  siteId: SiteId,
  username: string | undefined,
): Promise<string | undefined> {
  if (username === undefined) return undefined;
  return (await findUser(tx, siteId, { by: "username", username })) ? undefined : username;
}

/**
 * Nobody prepares an account for the owner of another's address. A User without a password is
 * nobody's registration: what an administrator has entered stays. Returns undefined if another
 * password is stored than the one that was compared.
 */
async function registerAgain(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  site: Site,
  userId: UserId,
  registration: Registration,
  { stored, same }: ComparedPassword,
): Promise<Registered | undefined> {
  const locked = await lockUser(tx, site.id, userId);
  if (!locked) throw new Error("a User vanished from its own transaction");
  if (locked.user.emailVerified) {
    return await tellOwner(deps, tx, caller, locked.user, registration);
  }
  const storedNow = (await findCredentials(tx, site.id, userId))?.password;
  if (storedNow?.phc !== stored?.phc) return undefined;
  const now = deps.clock.now();
  let { user } = locked;
  if (storedNow && !same) user = await forgetRegistrant(deps, tx, locked, now);
  const act = { kind: "user.registered_again", subjectId: userId };
  await recordAct(tx, site.id, caller, { ...act, clientIp: registration.client.ip }, now);
  const isRepeat = same && now.getTime() - user.createTime.getTime() < REPEAT_MS;
  if (isRepeat && !registration.returnToken) return { user, token: undefined };
  return { user, token: await askToVerify(tx, site, user, registration, now) };
}

/** Two people claim the address: what the first has set goes, and VerifyEmail sets it anew. */
async function forgetRegistrant(
  deps: Deps,
  tx: Queryable,
  { user, nextVersion }: LockedUser,
  now: Date,
): Promise<User> {
  const { siteId, id } = user;
  await updatePassword(tx, siteId, id, undefined);
  const blank = { passwordChangeTime: undefined, username: undefined, displayName: "", locale: "" };
  const after = { ...user, ...blank, version: nextVersion, updateTime: now };
  const changes = changesBetween(user, after);
  return await saveUser(deps, tx, user, after, ["user_password_changed", ...changes]);
}

async function askToVerify(
  tx: Queryable,
  site: Site,
  user: User,
  { returnToken, redirectUrl }: Registration,
  now: Date,
): Promise<MintedOneTimeToken | undefined> {
  const { id: userId, email } = user;
  if (returnToken && email) {
    const grant = { purpose: "verify_email", userId, email, redirectUrl } as const;
    return await mintOneTimeToken(tx, site, grant, now);
  }
  await addMailJob(tx, { mail: "verify_email", siteId: site.id, userId, redirectUrl });
  return undefined;
}

async function tellOwner(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  { siteId, id: userId }: User,
  { client }: Registration,
): Promise<Registered> {
  const act = { kind: "user.registered_again", subjectId: userId, clientIp: client.ip };
  await recordAct(tx, siteId, caller, act, deps.clock.now());
  await addMailJob(tx, { mail: "registered_already", siteId, userId });
  return { user: undefined, token: undefined };
}
