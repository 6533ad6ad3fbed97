import type { ApiKeyId, SessionId, SigningKeyId, SiteId, UserId } from "./id.ts";

/** What happened to a User. */
export type UserChangeKind =
  | "user_created"
  | "user_updated"
  | "user_email_verified"
  | "user_email_changed"
  | "user_password_changed"
  | "user_mfa_changed"
  | "user_roles_changed"
  | "user_disabled"
  | "user_enabled"
  | "user_invitation_accepted"
  | "user_deleted";

/** What a transaction puts into the log besides changes of Users. */
export type Notice =
  | { readonly kind: "session_ended"; readonly subjectId: SessionId; readonly expireTime: Date }
  | {
      readonly kind: "generation_raised";
      readonly subjectId: UserId;
      readonly generation: number;
      readonly expireTime: Date;
    }
  | { readonly kind: "api_key_revoked"; readonly subjectId: ApiKeyId; readonly expireTime: Date }
  | {
      readonly kind: "signing_key_withdrawn";
      readonly subjectId: SigningKeyId;
      readonly expireTime: Date;
    }
  | { readonly kind: "site_closed"; readonly subjectId: SiteId; readonly expireTime: Date }
  | { readonly kind: "site_changed"; readonly subjectId: SiteId }
  | { readonly kind: "signing_keys_changed"; readonly subjectId: SiteId };

/** The notices that end something before its expiry. */
export type RevocationNotice = Extract<Notice, { readonly expireTime: Date }>;

/** A revocation of a Site that is known, and when it was made. */
export interface SiteRevocation {
  readonly notice: RevocationNotice;
  readonly revokeTime: Date;
}

/** Names a revocation within its Site. */
export type RevocationKey = Pick<RevocationNotice, "kind" | "subjectId">;

/** Tells whether a notice ends something; the others say that something has changed. */
export function isRevocation(notice: Notice): notice is RevocationNotice {
  return notice.kind !== "site_changed" && notice.kind !== "signing_keys_changed";
}

/** A committed change of a User, as the log holds it. */
export interface UserChange {
  /** The number within the Site, without gaps. */
  readonly position: number;
  readonly siteId: SiteId;
  readonly kind: UserChangeKind;
  /** What else the same change did to the User. */
  readonly furtherKinds: readonly UserChangeKind[];
  readonly userId: UserId;
  readonly version: number;
  /** The encoded state; absent when personal data was erased after a later deletion. */
  readonly body: Uint8Array | undefined;
  /** Whether it came with many others, as in an import. */
  readonly bulk: boolean;
  readonly commitTime: Date;
}

/** Where a Site's log stands. */
export interface SiteHead {
  /** Changes when history may have been taken back, as by a restored backup. */
  readonly epoch: number;
  /** The position of the last change; 0: none yet. */
  readonly position: number;
  /** How many Users the Site has at that position, tombstones left out. */
  readonly users: number;
  /** The position of the oldest change that is kept; `position + 1` if none is. */
  readonly oldestPosition: number;
}
