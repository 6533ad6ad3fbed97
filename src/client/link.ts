import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import { createPostgresLink, type LinkPlace } from "./link-postgres.ts";
import type { LinkResult, LinkStorage } from "./link-storage.ts";
import type { MirrorConnection } from "./postgres-connection.ts";
import type { UserMirror } from "./user-mirror.ts";

/** How rows of an app's own table are told to be a User's. */
export interface UserLinkOptions {
  /**
   * Whether the User's external id is the id of the app's row, as `signet link` sets it. Default
   * true; false where the external ids of the Site are those of another app.
   */
  readonly matchExternalId?: boolean | undefined;
  /** What stands before the row's id in the external id, such as `shop:`; default: nothing. */
  readonly externalIdPrefix?: string | undefined;
  /**
   * The Mirror in the same database that the column refers to by a foreign key: it is made sure
   * to have the User first. None: there is no such key.
   */
  readonly mirror?: Pick<UserMirror, "ensureUser"> | undefined;
}

/** Links in a PostgreSQL of the app. */
export interface PostgresLinkOptions extends UserLinkOptions, LinkPlace {}

/** Links in any storage. */
export interface StoredLinkOptions<Transaction> extends UserLinkOptions {
  readonly storage: LinkStorage<Transaction>;
}

/** A User as a login answers with: by itself, or in `SessionStarted`. */
export type SignedInUser = User | { readonly user?: User | undefined };

/** Links rows of an app's own table of users to Users of Signet as they sign in. */
export interface UserLink<Transaction> {
  /**
   * Links the row of somebody who has just signed in, and tells which one it is; where it is
   * linked already that is one look at an index. Call it at every login.
   *
   * The row is the one whose id is the User's external id, else the only one with the User's
   * address, in any case, if the User has verified it. A row that is another User's stays so.
   *
   * With `transaction` it reads and writes there, and nothing is done until that is committed;
   * a concurrent login of the same User waits until then.
   *
   * @throws {TypeError} where it is given no User.
   */
  linkAtLogin(signedIn: SignedInUser, transaction?: Transaction): Promise<LinkResult>;
}

/** Makes what links rows at login; see {@link UserLink}. */
export function createUserLink(options: PostgresLinkOptions): UserLink<MirrorConnection>;
export function createUserLink<Transaction>(
  options: StoredLinkOptions<Transaction>,
): UserLink<Transaction>;
export function createUserLink(
  options: PostgresLinkOptions | StoredLinkOptions<never>,
): UserLink<MirrorConnection> | UserLink<never> {
  return "pool" in options
    ? openLink({ ...options, storage: createPostgresLink(options) })
    : openLink(options);
}

function openLink<Transaction>(options: StoredLinkOptions<Transaction>): UserLink<Transaction> {
  const { storage, mirror } = options;
  return {
    async linkAtLogin(signedIn, transaction) {
      const user = readUser(signedIn);
      const linked = await storage.findLinked(user.id, transaction);
      if (linked !== undefined) return { outcome: "already_linked", rowId: linked };
      await mirror?.ensureUser(user.id);
      const claim = { userId: user.id, rowId: rowIdOf(user, options), email: addressOf(user) };
      return await storage.link(claim, transaction);
    },
  };
}

function readUser(signedIn: SignedInUser): User {
  const user = "id" in signedIn ? signedIn : signedIn.user;
  if (user?.id && user.state !== UserState.DELETED) return user;
  throw new TypeError("a User is needed, as Login answers with");
}

function rowIdOf(
  { externalId }: User,
  { matchExternalId = true, externalIdPrefix = "" }: UserLinkOptions,
): string | undefined {
  if (!matchExternalId || !externalId.startsWith(externalIdPrefix)) return undefined;
  return externalId.slice(externalIdPrefix.length) || undefined;
}

/** Somebody who has not proved to own an address must not get what belongs to its owner. */
function addressOf({ email, emailVerified }: User): string | undefined {
  return emailVerified && email !== "" ? email.toLowerCase() : undefined;
}
