import type { AnyId, AuditEventId, SiteId } from "./id.ts";

/** What an act can be done to. */
export type SubjectKind =
  | "user"
  | "session"
  | "site"
  | "api_key"
  | "signing_key"
  | "webhook"
  | "mirror"
  | "peer";

/** Every kind of act, and what its subject is; docs/guides/audit.md explains each. */
export const ACT_SUBJECTS = {
  "api_key.created": "api_key",
  "api_key.revoked": "api_key",
  "login.failed": "user",
  "mirror.deleted": "mirror",
  "mirror.registered": "mirror",
  "refresh_token.reused": "user",
  "session.all_revoked": "user",
  "session.ended": "user",
  "session.reauthenticated": "user",
  "session.revoked": "user",
  "session.started": "user",
  "signing_key.rotated": "signing_key",
  "signing_key.rotation_scheduled": "signing_key",
  "site.created": "site",
  "user.created": "user",
  "user.deleted": "user",
  "user.disabled": "user",
  "user.email_change_requested": "user",
  "user.email_changed": "user",
  "user.email_verified": "user",
  "user.enabled": "user",
  "user.invitation_accepted": "user",
  "user.invited": "user",
  "user.locked": "user",
  "user.mfa_disabled": "user",
  "user.mfa_enrolled": "user",
  "user.mfa_reset": "user",
  "user.password_changed": "user",
  "user.password_reset": "user",
  "user.password_reset_requested": "user",
  "user.recovery_codes_renewed": "user",
  "user.registered": "user",
  "user.registered_again": "user",
  "user.unlocked": "user",
  "user.updated": "user",
  "user.verification_requested": "user",
} as const satisfies Readonly<Record<string, SubjectKind>>;

/** Noun and past participle, such as `user.created`. */
export type ActKind = keyof typeof ACT_SUBJECTS;

/** Who acted: a kind of caller, or Signet by itself. */
export type AuditActorKind = "anonymous" | "operator" | "site_key" | "user" | "system" | "peer";

/** The place of an event in the chain of its Site. */
export interface AuditLink {
  /** Within the Site, from 1. */
  readonly sequence: number;
  readonly record: Uint8Array;
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
  /** Of the digests in the record; empty where the event has no clear values. */
  readonly salt: Uint8Array;
}

/** An event of the audit log as it is read. */
export interface AuditEntry {
  readonly id: AuditEventId;
  readonly siteId: SiteId;
  readonly kind: string;
  readonly time: Date;
  readonly actor: { readonly kind: AuditActorKind; readonly id: string };
  readonly subject: { readonly kind: string; readonly id: string };
  readonly facts: Readonly<Record<string, string>>;
  readonly personal: Readonly<Record<string, string>>;
  /** Absent for the short time until it is chained. */
  readonly link: AuditLink | undefined;
}

/** Which events are meant. Conditions that are present must all hold. */
export interface AuditFilter {
  /** The id of the User or API key that acted. */
  readonly actorId: AnyId | undefined;
  readonly subjectId: AnyId | undefined;
  /** Empty: all. */
  readonly kinds: readonly string[];
  readonly timeFrom: Date | undefined;
  readonly timeUntil: Date | undefined;
}
