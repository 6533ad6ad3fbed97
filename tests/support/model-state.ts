import type { Client, Transport } from "@connectrpc/connect";
import type { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import type { Clients } from "./builders.ts";

/** What the oracle knows: what Signet has been asked to do, and nothing that it keeps itself. */
export interface World {
  /** One for each process. */
  readonly transports: readonly [Transport, Transport];
  readonly operatorKey: string;
  readonly sites: ModelSite[];
  /** How many moves were made, so that each move meets another process. */
  moves: number;
}

/** A Site as it should be. */
export interface ModelSite {
  readonly id: string;
  readonly domain: string;
  /** A key that may do everything, and one that reads and writes Users and is no admin. */
  readonly backend: ModelKey;
  readonly writer: ModelKey;
  readonly users: ModelUser[];
  readonly links: ModelLink[];
  readonly keys: ModelKey[];
  /** What the log of the Site should have, the first at position 1. */
  readonly changes: ModelChange[];
  readonly stream: ChangeStream;
  version: number;
  name: string;
  selfRegistration: boolean;
  passwordLengthMin: number;
  gone: boolean;
}

/** A User as it should be. */
export interface ModelUser extends NewUser {
  readonly id: string;
  readonly sessions: ModelSession[];
  version: number;
  state: "ACTIVE" | "INVITED" | "DISABLED" | "DELETED";
  /** What EnableUser gives back. */
  stateBefore: ModelUser["state"];
  password: string;
  /** Wrong passwords since the last right one. */
  guesses: number;
  /** Counts what voids all access tokens. */
  generation: number;
}

/** What is said of a User when it is made; the empty text: nothing. */
export interface NewUser {
  email: string;
  emailVerified: boolean;
  username: string;
  displayName: string;
  externalId: string;
  roles: readonly string[];
  deletionProtected: boolean;
}

/** A Session as it should be. */
export interface ModelSession {
  readonly id: string;
  readonly user: ModelUser;
  readonly accessTokens: AccessToken[];
  /** The newest last. */
  readonly refreshTokens: RefreshToken[];
  alive: boolean;
}

/** An access token, and what it says. */
export interface AccessToken {
  readonly text: string;
  readonly generation: number;
  readonly roles: readonly string[];
  /** The one audience it was exchanged for; empty: it is Signet's own. */
  readonly audience: string;
}

/** A refresh token, and between when and when it was used first. */
export interface RefreshToken {
  readonly text: string;
  usedMs: readonly [number, number] | undefined;
  /** Whether a change of password has taken it away. */
  isVoid: boolean;
}

/** The token of a link. */
export interface ModelLink {
  readonly text: string;
  readonly purpose: LinkPurpose;
  readonly user: ModelUser;
  readonly email: string;
  good: boolean;
}

/** What a link of a mail is for. */
export type LinkPurpose =
  | "VERIFY_EMAIL"
  | "ACCEPT_INVITATION"
  | "RESET_PASSWORD"
  | "CONFIRM_EMAIL_CHANGE";

/** A site key. */
export interface ModelKey {
  readonly id: string;
  readonly secret: string;
  readonly scopes: readonly string[];
  good: boolean;
}

/** A Change as it should come. */
export interface ModelChange {
  readonly kinds: readonly string[];
  readonly user: UserView;
}

/** The Changes of a Site, as a subscriber gets them. */
export interface ChangeStream extends AsyncDisposable {
  /** What has come so far, with the positions. */
  readonly changes: readonly (ModelChange & { readonly position: number })[];
  /** Leaves the stream, and resumes from its cursor at a process. */
  reopen(sync: Client<typeof SyncService>): Promise<void>;
}

/** What a message says of a User, as far as the oracle can tell. */
export type UserView = Readonly<
  NewUser & { id: string; version: number; state: string; hasPassword: boolean }
>;

/** Who makes a call. */
export type Actor = "operator" | "backend" | "writer";

/** What a call is made by, and how it names its Site. */
export interface ActingClients extends Clients {
  /** Operators name the Site, keys need not. */
  readonly siteId: string;
}

/** Returns the Users that are no tombstones. */
export function livingUsers({ users }: ModelSite): ModelUser[] {
  return users.filter(({ state }) => state !== "DELETED");
}

/** Returns the Users of a Site who are not this one and have something that is unique. */
export function hasOther(
  site: ModelSite,
  self: ModelUser | undefined,
  field: "email" | "username" | "externalId",
  value: string,
): boolean {
  return livingUsers(site).some((user) => user !== self && value !== "" && user[field] === value);
}

/** Returns one of a list by a number that fits none in particular. */
export function pick<T>(list: readonly T[], n: number): T | undefined {
  return list[n % Math.max(1, list.length)];
}

/** Returns all Sessions of a Site, ended ones too. */
export function sessionsOf({ users }: ModelSite): ModelSession[] {
  return users.flatMap(({ sessions }) => sessions);
}

/** Tells whether an access token should be accepted by Signet itself. */
export function isGood({ user, alive }: ModelSession, token: AccessToken): boolean {
  return alive && token.generation === user.generation && user.state === "ACTIVE";
}

/** Returns what messages should say of a User; of a tombstone almost nothing. */
export function viewOf(user: ModelUser): UserView {
  const { id, version, state, password } = user;
  if (state === "DELETED") return { ...NOBODY, id, version, state, hasPassword: false };
  const { email, emailVerified, username, displayName, externalId, roles } = user;
  const { deletionProtected } = user;
  const told = { email, emailVerified, username, displayName, externalId, roles };
  return { ...told, deletionProtected, id, version, state, hasPassword: password !== "" };
}

/** What a new User has that nothing is said of. */
export const NOBODY: NewUser = {
  email: "",
  emailVerified: false,
  username: "",
  displayName: "",
  externalId: "",
  roles: [],
  deletionProtected: false,
};
