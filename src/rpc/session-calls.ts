import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { openPageOf, sealPageOf } from "../domain/page-token.ts";
import { listSessions, revokeAllSessions, revokeSession } from "../domain/session-admin.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import { idFromBytes, idToBytes, parseId, type SessionId } from "../model/id.ts";
import { callerOf, subjectOf } from "./authorize.ts";
import { toSessionMessage } from "./convert-session.ts";
import { pageLimit } from "./pagination.ts";

/** The calls about the Sessions of a User. */
export function sessionCalls(deps: Deps) {
  return {
    async listSessions(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const userId = subjectOf(caller, request.userId);
      const limit = pageLimit(request.pageSize);
      const question = { list: "sessions", filter: userId };
      const place = openPageOf(deps, siteId, question, request.pageToken);
      const after = place && idFromBytes<SessionId>(place);
      const sessions = await listSessions(deps, caller, siteId, userId, { after, limit });
      const last = sessions.length === limit ? sessions.at(-1) : undefined;
      return {
        sessions: sessions.map((session) => toSessionMessage(session, isOwn(caller, session.id))),
        nextPageToken: last ? sealPageOf(deps, siteId, question, idToBytes(last.id)) : "",
      };
    },

    async revokeSession(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const id = parseId<SessionId>(request.sessionId, "session_id");
      const user = await revokeSession(deps, caller, siteId, id);
      return { userId: user.id, version: BigInt(user.version) };
    },

    async revokeAllSessions(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const userId = subjectOf(caller, request.userId);
      const kept = keptSession(caller, request.keepCurrent);
      const { user, ended } = await revokeAllSessions(deps, caller, siteId, userId, kept);
      return { userId: user.id, version: BigInt(user.version), endedSessions: ended };
    },
  } satisfies Partial<ServiceImpl<typeof AuthService>>;
}

function isOwn(caller: Caller, sessionId: SessionId): boolean {
  return caller.kind === "user" && caller.sessionId === sessionId;
}

function keptSession(caller: Caller, keepCurrent: boolean): SessionId | undefined {
  if (!keepCurrent) return undefined;
  if (caller.kind !== "user") throw invalidField("keep_current", "must be false: no User calls");
  return caller.sessionId;
}
