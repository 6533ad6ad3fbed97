import { ErrorReason } from "../client/index.ts";

/** What to do about a refusal, where the reason alone does not say it. */
const REMEDIES: Readonly<Partial<Record<ErrorReason, string>>> = {
  [ErrorReason.CREDENTIAL_INVALID]:
    "the key is unknown, revoked or expired: set SIGNET_KEY, or another profile",
  [ErrorReason.ACCESS_DENIED]:
    "the key may not do this: `signet doctor` tells its scopes; `signet key create` makes another",
  [ErrorReason.SITE_NOT_FOUND]:
    "`signet site list` shows the Sites; leave --site away with a site key",
  [ErrorReason.USER_NOT_FOUND]: "`signet user list` shows the Users of a Site",
  [ErrorReason.SESSION_NOT_FOUND]: "`signet session list` shows the Sessions of a User",
  [ErrorReason.API_KEY_NOT_FOUND]: "`signet key list` shows the keys of a Site",
  [ErrorReason.MIRROR_NOT_FOUND]: "`signet sync status` shows the Mirrors of a Site",
  [ErrorReason.INVALID_PAGE_TOKEN]:
    "repeat exactly what the page before asked for, with times as dates, or begin again",
  [ErrorReason.EMAIL_TAKEN]: "`signet user get <address>` shows who has it",
  [ErrorReason.USERNAME_TAKEN]: "`signet user get <username>` shows who has it",
  [ErrorReason.EXTERNAL_ID_TAKEN]: "`signet user get external-id:<id>` shows who has it",
  [ErrorReason.DOMAIN_TAKEN]: "`signet site list --domain <host>` shows which Site has it",
  [ErrorReason.ID_TAKEN]: "leave --id away, or repeat exactly what was created with it",
  [ErrorReason.VERSION_MISMATCH]: "look at it as it is now, and repeat with that version",
  [ErrorReason.DELETION_PROTECTED]: "switch it off first: `update … --no-deletion-protected`",
  [ErrorReason.LAST_ADMIN]: "make another User an admin first: `user update … --role admin`",
  [ErrorReason.MESSAGE_TOO_LARGE]: "give less at once",
  [ErrorReason.INTERNAL]: "the log of the service has the rest, under the incident id",
};

/** Says what to do about a refusal; undefined: the refusal says it itself. */
export function remedyOf(reason: ErrorReason, hasKeyForm: boolean): string | undefined {
  if (reason === ErrorReason.CREDENTIAL_INVALID && !hasKeyForm) return NO_KEY;
  return REMEDIES[reason];
}

const NO_KEY =
  "SIGNET_KEY has not the form of a key, which begins with sgn_op_ or sgn_site_: " +
  "was it copied as a whole?";
