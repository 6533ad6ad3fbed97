import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import { hasOtherActiveAdmin, isAdminNow, lockAdmins } from "../store/admins.ts";
import type { Queryable } from "../store/sql.ts";
import { hasScope } from "./access.ts";

/** What a User signs in with. */
type SignInFields = Partial<Pick<User, "email" | "emailVerified" | "username" | "roles">>;

/**
 * Lets nobody give what it has not. A site key without `site.admin` neither gives nor takes the
 * role `admin`, and changes nothing that an admin signs in with. No admin vouches for an address.
 *
 * @throws {Failure} `access_denied`
 */
export function checkEscalation(
  caller: Caller,
  fields: SignInFields,
  before: User | undefined,
): void {
  if (caller.kind === "user" && fields.emailVerified) throw new Failure("access_denied");
  if (caller.kind !== "site_key" || hasScope(caller, "site.admin")) return;
  const wasAdmin = before !== undefined && isAdmin(before);
  const becomesAdmin = fields.roles ? isAdmin({ roles: fields.roles }) : wasAdmin;
  if (wasAdmin !== becomesAdmin) throw new Failure("access_denied");
  if (wasAdmin && changesSignIn(fields, before)) throw new Failure("access_denied");
}

/**
 * Refuses what keeps an admin from signing in, or lets it in again, to a site key without
 * `site.admin`.
 *
 * @throws {Failure} `access_denied`
 */
export function checkRank(caller: Caller, subject: User): void {
  if (caller.kind !== "site_key" || hasScope(caller, "site.admin")) return;
  if (isAdmin(subject)) throw new Failure("access_denied");
}

/**
 * Refuses an admin whose role or Session has ended: other processes may take its token for up
 * to a second more, in which it could give itself back what it has lost. Call it once what the
 * call is about is locked.
 *
 * @throws {Failure} `credential_invalid`
 */
export async function requireAdminNow(
  tx: Queryable,
  siteId: SiteId,
  caller: Caller,
): Promise<void> {
  if (caller.kind !== "user") return;
  const { userId, sessionId, token } = caller;
  const { generation } = token;
  if (await isAdminNow(tx, siteId, { userId, sessionId, generation })) return;
  throw new Failure("credential_invalid");
}

/**
 * Refuses to take the last active admin from a Site. Of two calls at the same instant that each
 * take one of the last two, the second waits for the first and is refused.
 *
 * @throws {Failure} `last_admin`
 */
export async function keepAdmin(
  tx: Queryable,
  before: User,
  after: User | undefined,
): Promise<void> {
  const counts = (user: User) => user.state === "active" && isAdmin(user);
  if (!counts(before) || (after && counts(after))) return;
  await lockAdmins(tx, before.siteId);
  if (!(await hasOtherActiveAdmin(tx, before.siteId, before.id))) throw new Failure("last_admin");
}

function isAdmin({ roles }: Pick<User, "roles">): boolean {
  return roles.includes("admin");
}

/** An empty username is present and undefined. */
function changesSignIn(fields: SignInFields, before: User): boolean {
  const after = { ...before, ...fields };
  return (["email", "emailVerified", "username"] as const).some(
    (name) => after[name] !== before[name],
  );
}
