import type { Caller, Scope } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import type { Site } from "../model/site.ts";
import { holdApiKey } from "../store/api-keys.ts";
import { holdOperatorKey } from "../store/operator-keys.ts";
import type { Queryable } from "../store/sql.ts";
import { requireAdminNow } from "./admins.ts";
import { requireRecentLogin } from "./renewed-session.ts";

/** What a key would be able to do. */
export interface Grant {
  readonly scopes: readonly Scope[];
  /** The fields of User that it may see; empty: all. */
  readonly userFields: readonly string[];
  readonly expireTime: Date | undefined;
}

/** Scopes that an admin does not give: by these a key takes the place of its Users. */
const NOT_OF_ADMINS: readonly Scope[] = ["auth.tokens", "peer"];

/**
 * Lets nobody give more than it has: a site key gives its own scopes, fields and time, an admin
 * nothing that signs Users in by itself, and an operator what it likes.
 *
 * @throws {Failure} `access_denied`
 */
export function checkGrant(caller: Caller, wanted: Grant): void {
  if (!mayGrant(caller, wanted)) throw new Failure("access_denied");
}

/** Refuses a key that would outlive the one that makes it. @throws {Failure} `access_denied` */
export function checkLifetime(
  { expireTime: own }: { readonly expireTime?: Date | undefined },
  wanted: Date | undefined,
): void {
  if (!endsBy(wanted, own)) throw new Failure("access_denied");
}

/**
 * Returns the fields that a caller gives to something that is told of Users; none named: all that
 * the caller sees itself.
 *
 * @throws {Failure} `access_denied` for more than that.
 */
export function grantFields(caller: Caller, wanted: readonly string[]): readonly string[] {
  const own = caller.kind === "site_key" ? caller.userFields : [];
  if (wanted.length === 0) return own;
  if (!isWithin(wanted, own)) throw new Failure("access_denied");
  return wanted;
}

/**
 * Refuses a new key that would never work, as where a year is mistyped. A repeat of a call may
 * come when the key has ended since.
 *
 * @throws {Failure} `invalid_field`
 */
export function requireEndToCome({ expireTime }: Pick<Grant, "expireTime">, now: Date): void {
  if (expireTime && expireTime <= now) throw invalidField("expire_time", "must be in the future");
}

/**
 * Refuses a key that was revoked just now, which other processes may take for a second more: it
 * must not leave another key behind. The key waits with its revocation for the transaction.
 *
 * @throws {Failure} `credential_invalid`
 */
export async function requireKeyNow(tx: Queryable, caller: Caller): Promise<void> {
  if (caller.kind === "site_key" && !(await holdApiKey(tx, caller.siteId, caller.keyId))) {
    throw new Failure("credential_invalid");
  }
  if (caller.kind === "operator" && caller.keyId && !(await holdOperatorKey(tx, caller.keyId))) {
    throw new Failure("credential_invalid");
  }
}

/**
 * Requires of an admin that it still is one and that its login is recent; of others nothing.
 *
 * @throws {Failure} `credential_invalid`, `recent_login_required`.
 */
export async function requireRecentAdmin(
  tx: Queryable,
  site: Site,
  caller: Caller,
  now: Date,
): Promise<void> {
  if (caller.kind !== "user") return;
  await requireAdminNow(tx, site.id, caller);
  await requireRecentLogin(tx, site, caller, now);
}

function mayGrant(caller: Caller, wanted: Grant): boolean {
  switch (caller.kind) {
    case "operator":
      return true;
    case "site_key":
      return (
        wanted.scopes.every((scope) => caller.scopes.includes(scope)) &&
        isWithin(wanted.userFields, caller.userFields) &&
        endsBy(wanted.expireTime, caller.expireTime)
      );
    case "user":
      return !wanted.scopes.some((scope) => NOT_OF_ADMINS.includes(scope));
    case "anonymous":
      return false;
  }
}

/** An empty projection is the widest; the id is seen under every one. */
function isWithin(fields: readonly string[], own: readonly string[]): boolean {
  if (own.length === 0) return true;
  return fields.length > 0 && fields.every((field) => field === "id" || own.includes(field));
}

function endsBy(wanted: Date | undefined, own: Date | undefined): boolean {
  return own === undefined || (wanted !== undefined && wanted <= own);
}
