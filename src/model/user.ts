import type { EmailAddress } from "./email-address.ts";
import type { SiteId, UserId } from "./id.ts";
import type { JsonObject } from "./json.ts";

/** Whether an account is in use; a `deleted` User is a tombstone. */
export type UserState = "active" | "invited" | "disabled" | "deleted";

/** How a User came to a Site on which it was not created. */
export interface UserOrigin {
  readonly kind: "import" | "peer";
  readonly source: string;
  readonly sourceUserId: string;
  readonly arriveTime: Date;
}

/** The published state of an account: everything a Mirror may hold, and nothing secret. */
export interface User {
  readonly id: UserId;
  readonly siteId: SiteId;
  /** Rises with each change, over restores too; below 2^53. */
  readonly version: number;
  readonly email: EmailAddress | undefined;
  readonly emailVerified: boolean;
  readonly username: string | undefined;
  readonly displayName: string;
  readonly pictureUrl: string;
  readonly locale: string;
  /** Sorted, without repeats. */
  readonly roles: readonly string[];
  readonly state: UserState;
  readonly mfaEnabled: boolean;
  readonly passwordChangeTime: Date | undefined;
  readonly externalId: string | undefined;
  readonly metadata: JsonObject | undefined;
  readonly origin: UserOrigin | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly deleteTime: Date | undefined;
  readonly deletionProtected: boolean;
}

/** What an administrator sees of how a User signs in; never published. */
export interface UserSignIn {
  readonly lastLoginTime: Date | undefined;
  readonly failedLogins: number;
  readonly lockExpireTime: Date | undefined;
  readonly activeSessions: number;
}

/** What names one User of a Site. */
export type UserRef =
  | { readonly by: "id"; readonly id: UserId }
  | { readonly by: "email"; readonly email: EmailAddress }
  | { readonly by: "username"; readonly username: string }
  | { readonly by: "external_id"; readonly externalId: string };

/** A User as it is at its creation, before anything is said of it. */
export function newUser(
  given: Pick<User, "id" | "siteId" | "version" | "createTime"> & Partial<User>,
): User {
  return {
    email: undefined,
    emailVerified: false,
    username: undefined,
    displayName: "",
    pictureUrl: "",
    locale: "",
    roles: ["user"],
    state: "active",
    mfaEnabled: false,
    passwordChangeTime: undefined,
    externalId: undefined,
    metadata: undefined,
    origin: undefined,
    updateTime: given.createTime,
    deleteTime: undefined,
    deletionProtected: false,
    ...given,
  };
}

/** What is left of a deleted User: all personal data gone, the version kept to be compared. */
export function tombstone(user: User, version: number, deleteTime: Date): User {
  const { id, siteId, createTime } = user;
  return newUser({
    id,
    siteId,
    version,
    createTime,
    roles: [],
    state: "deleted",
    updateTime: deleteTime,
    deleteTime,
  });
}
