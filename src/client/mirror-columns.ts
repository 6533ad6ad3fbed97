import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type User,
  type UserOrigin,
  UserOriginKind,
  UserState,
} from "../../gen/signet/v1/user_pb.ts";
import type { RowOrigin } from "./mirror-storage.ts";

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

/** Columns that PostgreSQL computes from the others. */
export const COMPUTED_COLUMNS = { mirror_digest: "bigint", mirror_leaf: "integer" } as const;

/** A row, as JSON that PostgreSQL reads into the columns. */
export type MirrorRow = Readonly<Record<keyof typeof MIRROR_COLUMNS, unknown>>;

/**
 * Writes a User as a row. What a User has not, or the key may not see, is undefined here and
 * null there: JSON that does not mention it is read a quarter faster.
 */
export function toRow(user: User, { epoch, scope }: RowOrigin): MirrorRow {
  return {
    id: user.id,
    site_id: user.siteId,
    version: user.version.toString(),
    deleted: user.state === UserState.DELETED,
    state: STATES[user.state],
    email: user.email || undefined,
    email_verified: user.emailVerified,
    username: user.username || undefined,
    display_name: user.displayName || undefined,
    picture_url: user.pictureUrl || undefined,
    locale: user.locale || undefined,
    roles: user.roles,
    mfa_enabled: user.mfaEnabled,
    password_change_time: toTime(user.passwordChangeTime),
    external_id: user.externalId || undefined,
    metadata: user.metadata,
    origin: toOrigin(user.origin),
    deletion_protected: user.deletionProtected,
    create_time: toTime(user.createTime),
    update_time: toTime(user.updateTime),
    delete_time: toTime(user.deleteTime),
    mirror_epoch: epoch,
    mirror_scope: scope,
  };
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

/** Microseconds, which are what PostgreSQL keeps, are lost in a Date. */
function toTime(time: Timestamp | undefined): string | undefined {
  return time ? toJson(TimestampSchema, time) : undefined;
}

function toOrigin(origin: UserOrigin | undefined): object | undefined {
  if (!origin) return undefined;
  return {
    kind: ORIGIN_KINDS[origin.kind],
    source: origin.source || undefined,
    source_user_id: origin.sourceUserId || undefined,
    arrive_time: toTime(origin.arriveTime),
  };
}
