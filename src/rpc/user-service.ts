import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../../gen/signet/v1/user_service_pb.ts";
import { hasScope, knownSiteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { inviteUser } from "../domain/invitations.ts";
import { resetMfa } from "../domain/mfa-admin.ts";
import { deleteUser } from "../domain/user-deletion.ts";
import { disableUser, enableUser, unlockUser } from "../domain/user-state.ts";
import { batchGetUsers, createUser, getUser, lookupUser, updateUser } from "../domain/users.ts";
import type { Caller } from "../model/caller.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { parseId, parseOptionalId, type UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { User, UserSignIn } from "../model/user.ts";
import { fitAnswer } from "./answer-weight.ts";
import { auditCalls } from "./audit-calls.ts";
import { callerOf } from "./authorize.ts";
import { optionalTimestamp } from "./convert-session.ts";
import { parseUserRef, toUserMessage } from "./convert-user.ts";
import { exportCalls } from "./export-calls.ts";
import { importCalls } from "./import-calls.ts";
import { parseDelivery, parseRedirectUrl, toOneTimeToken } from "./one-time-fields.ts";
import type { StreamEnds } from "./stream-ends.ts";
import { projectionOf, projectUser, requireVisible } from "./user-fields.ts";
import { userListCalls } from "./user-list-calls.ts";
import { parseInvitedFields, parseNewUser, parseUpdate } from "./user-request.ts";

/** Implements `signet.v1.UserService`. */
export function userService(deps: Deps, ends: StreamEnds): ServiceImpl<typeof UserService> {
  return {
    ...auditCalls(deps),
    ...importCalls(deps, ends),
    ...exportCalls(deps, ends),
    ...userListCalls(deps),

    async createUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const id = parseOptionalId<UserId>(request.id, "id");
      const user = await createUser(deps, caller, siteId, id, parseNewUser(request));
      return { user: shown(user, caller) };
    },

    async inviteUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const { user, token } = await inviteUser(deps, caller, siteId, {
        id: parseOptionalId<UserId>(request.id, "id"),
        email: parseEmailAddress(request.email, "email"),
        fields: parseInvitedFields(request),
        redirectUrl: parseRedirectUrl(request.redirectUrl, site),
        returnToken: parseDelivery(request.delivery, caller),
      });
      return { user: shown(user, caller), ...(token && { oneTimeToken: toOneTimeToken(token) }) };
    },

    async getUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
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
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const ref = parseUserRef(request.user);
      requireVisible(caller, ref.by);
      return { user: shown(await lookupUser(deps, siteId, ref), caller) };
    },

    async batchGetUsers(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
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
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const id = parseId<UserId>(request.userId, "user_id");
      const expectedVersion = toVersion(request.expectedVersion);
      const fields = parseUpdate(request);
      const user = await updateUser(deps, caller, siteId, id, { expectedVersion, fields });
      return { user: shown(user, caller) };
    },

    async disableUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const id = parseId<UserId>(request.userId, "user_id");
      return { user: shown(await disableUser(deps, caller, siteId, id), caller) };
    },

    async enableUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const id = parseId<UserId>(request.userId, "user_id");
      return { user: shown(await enableUser(deps, caller, siteId, id), caller) };
    },

    async unlockUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const id = parseId<UserId>(request.userId, "user_id");
      return { user: shown(await unlockUser(deps, caller, siteId, id), caller) };
    },

    async resetMfa(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const id = parseId<UserId>(request.userId, "user_id");
      return { user: shown(await resetMfa(deps, caller, siteId, id), caller) };
    },

    async deleteUser(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
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

function parseIds(texts: readonly string[]): UserId[] {
  if (texts.length === 0) throw invalidField("user_ids", "is required");
  const ids = [...new Set(texts.map((text) => parseId<UserId>(text, "user_ids")))];
  if (ids.length > LIMITS.batchIdsMax) {
    throw invalidField("user_ids", `must be at most ${LIMITS.batchIdsMax}`);
  }
  return ids;
}

function toVersion(version: bigint | undefined): number | undefined {
  return version === undefined ? undefined : Number(version);
}
