import type {
  ListSessionsResponse,
  RevokeAllSessionsResponse,
  RevokeSessionResponse,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { layOutTable, withMore } from "./layout.ts";
import { listText, timeText } from "./values.ts";

/** Lays out a table of Sessions. */
export function layOutSessions({ sessions, nextPageToken }: ListSessionsResponse): string {
  if (sessions.length === 0) return "There are no Sessions.";
  const table = layOutTable(
    ["id", "signed in", "by", "last refresh", "ends at", "address", "user agent"],
    sessions.map((session) => [
      session.id,
      timeText(session.createTime),
      listText(session.amr),
      timeText(session.lastRefreshTime),
      timeText(session.absoluteExpireTime),
      session.client?.ip,
      session.client?.userAgent,
    ]),
  );
  return withMore(table, nextPageToken);
}

/** Says that a Session has ended. */
export function layOutRevoked({ userId }: RevokeSessionResponse): string {
  return `The Session of the User ${userId} has ended.`;
}

/** Says how many Sessions have ended. */
export function layOutAllRevoked({ userId, endedSessions }: RevokeAllSessionsResponse): string {
  return `${endedSessions} Sessions of the User ${userId} have ended.`;
}
