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
  | {
      readonly kind: "session_ended";
      readonly subjectId: SessionId;
      /** Whose Session it was; absent in what an earlier version of Signet has written. */
      readonly userId: UserId | undefined;
      readonly expireTime: Date;
    }
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

/** What a Site held at one position, tombstones left out. */
export interface SiteSums {
  readonly users: number;
  /** The digests of all of them, combined by exclusive or: 64 bits without a sign; 0 for none. */
  readonly xor: bigint;
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
  /** The Site after this change; absent in rows that an earlier version of Signet numbered. */
  readonly sums: SiteSums | undefined;
}

/** Where a Site's log stands. */
export interface SiteHead {
  /** Changes when history may have been taken back, as by a restored backup. */
  readonly epoch: number;
  /** The position of the last change; 0: none yet. */
  readonly position: number;
  /** The Site at that position. */
  readonly sums: SiteSums;
  /** The position of the oldest change that is kept; `position + 1` if none is. */
  readonly oldestPosition: number;
}
