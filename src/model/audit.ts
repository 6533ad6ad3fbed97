import type { AnyId, AuditEventId, SiteId } from "./id.ts";

/** What an act can be done to. */
export type SubjectKind =
  | "user"
  | "site"
  | "api_key"
  | "signing_key"
  | "webhook"
  | "mirror"
  | "peer";

/** Kinds of acts whose subject is not a User, by the noun that they begin with. */
const SUBJECTS: Readonly<Record<string, SubjectKind>> = {
  site: "site",
  api_key: "api_key",
  signing_key: "signing_key",
  webhook: "webhook",
  mirror: "mirror",
  peer: "peer",
};

/** Returns what acts of a kind are done to: `session.ended`, too, is done to a User. */
export function subjectKindOf(actKind: string): SubjectKind {
  return SUBJECTS[actKind.split(".", 1)[0] ?? ""] ?? "user";
}

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
