import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type User,
  type UserOrigin,
  UserOriginKind,
  UserState,
} from "../../gen/signet/v1/user_pb.ts";

/**
 * The columns that a Mirror writes, and their types. Nothing secret has a place in them, and
 * columns of the app's own beside them are left alone.
 */
export const MIRROR_COLUMNS = {
  id: "uuid",
  site_id: "uuid",
  version: "bigint",
  deleted: "boolean",
  state: "text",
  email: "text",
  email_verified: "boolean",
  username: "text",
  display_name: "text",
  picture_url: "text",
  locale: "text",
  roles: "text[]",
  mfa_enabled: "boolean",
  password_change_time: "timestamp with time zone",
  external_id: "text",
  metadata: "jsonb",
  origin: "jsonb",
  deletion_protected: "boolean",
  create_time: "timestamp with time zone",
  update_time: "timestamp with time zone",
  delete_time: "timestamp with time zone",
  mirror_epoch: "integer",
  mirror_scope: "text",
} as const;

/** Columns that are computed from the others: the hash of the content as the row is written. */
export const COMPUTED_COLUMNS = {
  mirror_content: "bigint",
  mirror_digest: "bigint",
  mirror_leaf: "integer",
} as const;

/** A column that holds something of the User. */
export type UserColumn = Exclude<keyof typeof MIRROR_COLUMNS, "mirror_epoch" | "mirror_scope">;

/**
 * Each column's value, as the text that PostgreSQL reads into its type, but for times, which are
 * microseconds since 1970. What a User has not, or the key may not see, is undefined here and
 * null there.
 */
export const USER_COLUMNS: Readonly<Record<UserColumn, (user: User) => string | undefined>> = {
  id: ({ id }) => id,
  site_id: ({ siteId }) => siteId,
  version: ({ version }) => version.toString(),
  deleted: ({ state }) => String(state === UserState.DELETED),
  state: ({ state }) => STATES[state],
  email: ({ email }) => email || undefined,
  email_verified: ({ emailVerified }) => String(emailVerified),
  username: ({ username }) => username || undefined,
  display_name: ({ displayName }) => displayName || undefined,
  picture_url: ({ pictureUrl }) => pictureUrl || undefined,
  locale: ({ locale }) => locale || undefined,
  roles: ({ roles }) => arrayLiteral(roles),
  mfa_enabled: ({ mfaEnabled }) => String(mfaEnabled),
  password_change_time: ({ passwordChangeTime }) => toMicros(passwordChangeTime),
  external_id: ({ externalId }) => externalId || undefined,
  metadata: ({ metadata }) => metadata && JSON.stringify(metadata),
  origin: ({ origin }) => origin && JSON.stringify(toOrigin(origin)),
  deletion_protected: ({ deletionProtected }) => String(deletionProtected),
  create_time: ({ createTime }) => toMicros(createTime),
  update_time: ({ updateTime }) => toMicros(updateTime),
  delete_time: ({ deleteTime }) => toMicros(deleteTime),
};

/** Writes the literal of an array (PostgreSQL §8.15.2), with every element quoted. */
export function arrayLiteral(elements: readonly (string | undefined)[]): string {
  // JSON has the same quotes, commas and nulls, and is written ten times as fast; only what it
  // writes with a backslash is something else, but for the quote and the backslash itself.
  const json = JSON.stringify(elements);
  if (!/\\[^"\\]/.test(json)) return `{${json.slice(1, -1)}}`;
  return `{${elements.map(quote).join(",")}}`;
}

function quote(text: string | undefined): string {
  return text === undefined ? "null" : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

const STATES: Readonly<Record<UserState, string | undefined>> = {
  [UserState.UNSPECIFIED]: undefined,
  [UserState.ACTIVE]: "active",
  [UserState.INVITED]: "invited",
  [UserState.DISABLED]: "disabled",
  [UserState.DELETED]: "deleted",
};

const ORIGIN_KINDS: Readonly<Record<UserOriginKind, string | undefined>> = {
  [UserOriginKind.UNSPECIFIED]: undefined,
  [UserOriginKind.IMPORT]: "import",
  [UserOriginKind.PEER]: "peer",
};

/** Microseconds since 1970: what PostgreSQL keeps, and a Date would lose. */
function toMicros(time: Timestamp | undefined): string | undefined {
  if (!time) return undefined;
  return String(Number(time.seconds) * 1_000_000 + Math.floor(time.nanos / 1_000));
}

function toOrigin(origin: UserOrigin): object {
  return {
    kind: ORIGIN_KINDS[origin.kind],
    source: origin.source || undefined,
    source_user_id: origin.sourceUserId || undefined,
    arrive_time: origin.arriveTime && toJson(TimestampSchema, origin.arriveTime),
  };
}
