import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type User as UserMessage,
  UserOriginKind,
  UserOriginSchema,
  type UserRef as UserRefMessage,
  UserSchema,
  UserState,
} from "../../gen/signet/v1/user_pb.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { parseId, type UserId } from "../model/id.ts";
import type { JsonObject } from "../model/json.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import type { User, UserOrigin, UserRef } from "../model/user.ts";
import { parseUsername } from "../model/username.ts";

const STATE = {
  active: UserState.ACTIVE,
  invited: UserState.INVITED,
  disabled: UserState.DISABLED,
  deleted: UserState.DELETED,
} as const;

const ORIGIN_KIND = { import: UserOriginKind.IMPORT, peer: UserOriginKind.PEER } as const;

/** Translates a User into its message. Snapshots make millions: `create` by fields is slower. */
export function toUserMessage(user: User): UserMessage {
  return Object.assign(create(UserSchema), {
    id: user.id,
    siteId: user.siteId,
    version: BigInt(user.version),
    email: user.email ?? "",
    emailVerified: user.emailVerified,
    username: user.username ?? "",
    displayName: user.displayName,
    pictureUrl: user.pictureUrl,
    locale: user.locale,
    roles: [...user.roles],
    state: STATE[user.state],
    mfaEnabled: user.mfaEnabled,
    externalId: user.externalId ?? "",
    createTime: timestampFromDate(user.createTime),
    updateTime: timestampFromDate(user.updateTime),
    deletionProtected: user.deletionProtected,
    ...(user.passwordChangeTime && {
      passwordChangeTime: timestampFromDate(user.passwordChangeTime),
    }),
    ...(user.metadata && { metadata: toStruct(user.metadata) }),
    ...(user.origin && { origin: toOriginMessage(user.origin) }),
    ...(user.deleteTime && { deleteTime: timestampFromDate(user.deleteTime) }),
  });
}

/** Encodes what is published of a User, as the log keeps it. */
export function encodeUser(user: User): Uint8Array {
  return toBinary(UserSchema, toUserMessage(user));
}

/** Reads what names a User. @throws {Failure} `invalid_field` */
export function parseUserRef(message: UserRefMessage | undefined): UserRef {
  const ref = message?.ref;
  switch (ref?.case) {
    case "id":
      return { by: "id", id: parseId<UserId>(ref.value, "user.id") };
    case "email":
      return { by: "email", email: parseEmailAddress(ref.value, "user.email") };
    case "username":
      return { by: "username", username: parseUsername(ref.value, "user.username") };
    case "externalId":
      return { by: "external_id", externalId: parseExternalId(ref.value, "user.external_id") };
    case undefined:
      throw invalidField("user", "is required");
  }
}

/** Reads an id of the caller's own system. @throws {Failure} `invalid_field` */
export function parseExternalId(text: string, field: string): string {
  return parseText(text, field, { max: LIMITS.nameLengthMax, required: true });
}

function toOriginMessage(origin: UserOrigin) {
  return create(UserOriginSchema, {
    kind: ORIGIN_KIND[origin.kind],
    source: origin.source,
    sourceUserId: origin.sourceUserId,
    arriveTime: timestampFromDate(origin.arriveTime),
  });
}

/** Not a copy: messages are written out, and never changed. */
function toStruct(metadata: JsonObject): NonNullable<UserMessage["metadata"]> {
  return metadata as NonNullable<UserMessage["metadata"]>;
}
