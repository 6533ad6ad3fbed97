import type { ServiceImpl } from "@connectrpc/connect";
import type {
  CreateUserRequest,
  UpdateUserRequest,
  UserService,
} from "../../gen/signet/v1/user_service_pb.ts";
import { hasScope, siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import {
  batchGetUsers,
  createUser,
  deleteUser,
  getUser,
  lookupUser,
  type UserFields,
  updateUser,
} from "../domain/users.ts";
import type { Caller } from "../model/caller.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { parseId, parseOptionalId, type UserId } from "../model/id.ts";
import type { JsonObject } from "../model/json.ts";
import { LIMITS } from "../model/limits.ts";
import { parseRoles } from "../model/role.ts";
import { parseLocale, parseText } from "../model/text.ts";
import { parseHttpUrl } from "../model/url.ts";
import type { User, UserSignIn } from "../model/user.ts";
import { parseUsername } from "../model/username.ts";
import { callerOf } from "./authorize.ts";
import { optionalTimestamp } from "./convert-session.ts";
import { parseExternalId, parseUserRef, toUserMessage } from "./convert-user.ts";
import { projectionOf, projectUser, requireVisible } from "./user-fields.ts";

/** Implements `signet.v1.UserService`. */
export function userService(deps: Deps): Partial<ServiceImpl<typeof UserService>> {
  return {
    async createUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const id = parseOptionalId<UserId>(request.id, "id");
      const user = await createUser(deps, caller, siteId, id, parseNewUser(request));
      return { user: shown(user, caller) };
    },

    async getUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const { user, signIn } = await getUser(
        deps,
        siteId,
        parseId<UserId>(request.userId, "user_id"),
      );
      const maySee = caller.kind !== "site_key" || hasScope(caller, "users.write");
      return {
        user: shown(user, caller),
        ...(signIn && maySee && { signIn: toSignInMessage(signIn) }),
      };
    },

    async lookupUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const ref = parseUserRef(request.user);
      requireVisible(caller, ref.by);
      return { user: shown(await lookupUser(deps, siteId, ref), caller) };
    },

    async batchGetUsers(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const ids = parseIds(request.userIds);
      const found = await batchGetUsers(deps, siteId, ids);
      const { users, remaining } = fitAnswer(found);
      const known = new Set(found.map((user) => user.id));
      return {
        users: users.map((user) => shown(user, caller)),
        missingIds: ids.filter((id) => !known.has(id)),
        remainingIds: remaining.map((user) => user.id),
      };
    },

    async updateUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const id = parseId<UserId>(request.userId, "user_id");
      const expectedVersion = toVersion(request.expectedVersion);
      const fields = parseUpdate(request);
      const user = await updateUser(deps, caller, siteId, id, { expectedVersion, fields });
      return { user: shown(user, caller) };
    },

    async deleteUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const id = parseId<UserId>(request.userId, "user_id");
      const expectedVersion = toVersion(request.expectedVersion);
      const user = await deleteUser(deps, caller, siteId, id, expectedVersion);
      return { user: shown(user, caller) };
    },
  };
}

function toSignInMessage(signIn: UserSignIn) {
  return {
    lastLoginTime: optionalTimestamp(signIn.lastLoginTime),
    failedLogins: signIn.failedLogins,
    lockExpireTime: optionalTimestamp(signIn.lockExpireTime),
    activeSessions: signIn.activeSessions,
  };
}

function shown(user: User, caller: Caller) {
  return projectUser(toUserMessage(user), projectionOf(caller));
}

function parseNewUser(request: CreateUserRequest): UserFields {
  return {
    email: parseEmailAddress(request.email, "email"),
    emailVerified: request.emailVerified,
    username: request.username ? parseUsername(request.username, "username") : undefined,
    displayName: parseText(request.displayName, "display_name", { max: LIMITS.nameLengthMax }),
    pictureUrl: request.pictureUrl && parsePictureUrl(request.pictureUrl),
    locale: request.locale && parseLocale(request.locale, "locale"),
    roles: request.roles.length === 0 ? ["user"] : parseRoles(request.roles, "roles"),
    externalId: request.externalId ? parseExternalId(request.externalId, "external_id") : undefined,
    metadata: parseMetadata(request.metadata),
    deletionProtected: request.deletionProtected,
  };
}

/** Reads what is present; an empty text empties the field, where it may be empty. */
function parseUpdate(request: UpdateUserRequest): UserFields {
  const { email, username, displayName, pictureUrl, locale, roles, externalId } = request;
  return {
    ...(email !== undefined && { email: parseEmailAddress(email, "email") }),
    ...(request.emailVerified !== undefined && { emailVerified: request.emailVerified }),
    ...(username !== undefined && {
      username: username ? parseUsername(username, "username") : undefined,
    }),
    ...(displayName !== undefined && {
      displayName: parseText(displayName, "display_name", { max: LIMITS.nameLengthMax }),
    }),
    ...(pictureUrl !== undefined && { pictureUrl: pictureUrl && parsePictureUrl(pictureUrl) }),
    ...(locale !== undefined && { locale: locale && parseLocale(locale, "locale") }),
    ...(roles && { roles: parseRoles(roles.roles, "roles.roles") }),
    ...(externalId !== undefined && {
      externalId: externalId ? parseExternalId(externalId, "external_id") : undefined,
    }),
    ...(request.metadata && { metadata: parseMetadata(request.metadata) }),
    ...(request.deletionProtected !== undefined && {
      deletionProtected: request.deletionProtected,
    }),
  };
}

/** Only pages over TLS may show it, whatever this machine runs. */
function parsePictureUrl(text: string): string {
  const url = parseHttpUrl(text, "picture_url");
  if (!url.startsWith("https:")) throw invalidField("picture_url", "must be an https URL");
  return url;
}

function parseMetadata(metadata: JsonObject | undefined): JsonObject | undefined {
  if (!metadata || Object.keys(metadata).length === 0) return undefined;
  if (Buffer.byteLength(JSON.stringify(metadata)) > LIMITS.metadataBytesMax) {
    throw invalidField("metadata", `must have at most ${LIMITS.metadataBytesMax} bytes as JSON`);
  }
  if (JSON.stringify(metadata).includes("\\u0000")) {
    throw invalidField("metadata", "must not hold NUL characters");
  }
  return metadata;
}

function parseIds(texts: readonly string[]): UserId[] {
  if (texts.length === 0) throw invalidField("user_ids", "is required");
  if (texts.length > LIMITS.batchIdsMax) {
    throw invalidField("user_ids", `must be at most ${LIMITS.batchIdsMax}`);
  }
  return [...new Set(texts.map((text) => parseId<UserId>(text, "user_ids")))];
}

function toVersion(version: bigint | undefined): number | undefined {
  return version === undefined ? undefined : Number(version);
}

const ANSWER_BYTES_MAX = 2 * 1024 * 1024;
const USER_BYTES_BASE = 4 * 1024; // All fields of a User but the metadata.

/** Splits Users into those that fit into an answer and those to be asked for again. */
function fitAnswer(found: readonly User[]): {
  readonly users: readonly User[];
  readonly remaining: readonly User[];
} {
  let bytes = 0;
  const end = found.findIndex((user) => {
    bytes += USER_BYTES_BASE + (user.metadata ? JSON.stringify(user.metadata).length : 0);
    return bytes > ANSWER_BYTES_MAX;
  });
  if (end < 1) return { users: found, remaining: [] };
  return { users: found.slice(0, end), remaining: found.slice(end) };
}
