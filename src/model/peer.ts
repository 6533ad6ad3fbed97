import type { EmailAddress } from "./email-address.ts";
import type { SiteId } from "./id.ts";
import type { JsonObject } from "./json.ts";
import type { Secret } from "./secret.ts";

/** The fields of User that can be taken from a Peer, by their names in user.proto. */
export const PEER_FIELDS = [
  "display_name",
  "email",
  "email_verified",
  "locale",
  "metadata",
  "picture_url",
  "username",
] as const;

/** A field of User that can be taken from a Peer. */
export type PeerField = (typeof PEER_FIELDS)[number];

/** Another Signet that is asked about Users who are unknown here. */
export interface PeerConfig {
  /** What Users that came from it show as their origin. */
  readonly name: string;
  /** Without a slash at the end. */
  readonly url: string;
  /** A site key over there, with the scope `peer`. */
  readonly key: Secret;
  /** The Site of the key: nothing of another Site over there is believed. */
  readonly peerSiteId: SiteId;
  /** The Site here whose unknown Users it is asked about. */
  readonly siteId: SiteId;
  /** What is taken of a User; sorted. */
  readonly userFields: readonly PeerField[];
  /** Only addresses in these domains are asked about and taken; empty: all. */
  readonly emailDomains: readonly string[];
  /** Whether all of its Users are taken before they sign in, and followed from then on. */
  readonly sync: boolean;
}

/** Why a call to a Peer has failed. */
export type PeerProblem =
  | "name_not_found"
  | "address_refused"
  | "connection_failed"
  | "tls_failed"
  | "timed_out"
  | "key_refused"
  | "access_denied"
  | "unavailable"
  | "answer_invalid";

/** A User of a Peer, as far as its fields are taken and well-formed; the others are as if unset. */
export interface PeerUser {
  /** A UUID. */
  readonly id: string;
  readonly version: number;
  readonly email: EmailAddress | undefined;
  readonly emailVerified: boolean;
  readonly username: string | undefined;
  readonly displayName: string;
  readonly pictureUrl: string;
  readonly locale: string;
  readonly metadata: JsonObject | undefined;
  readonly state: "active" | "deleted" | "other";
  /** Whether it came there from a Peer itself. */
  readonly isCopy: boolean;
}

/** What a Peer says of the key with which it is called. */
export interface PeerCheck {
  readonly siteId: string;
  readonly siteName: string;
  /** Empty: all. */
  readonly userFields: readonly string[];
  readonly sync: boolean;
  readonly serverTime: Date;
}

/** How the sync from a Peer is doing. */
export interface PeerSyncState {
  /** The position over there up to which everything is applied. */
  readonly position: number;
  readonly head: number;
  readonly contactTime: Date | undefined;
  /** Users that cannot be taken at present. */
  readonly conflicts: number;
}
