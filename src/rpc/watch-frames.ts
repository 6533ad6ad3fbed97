import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { WatchUsersResponseSchema } from "../../gen/signet/v1/sync_service_pb.ts";
import { type User as UserMessage, UserSchema, UserState } from "../../gen/signet/v1/user_pb.ts";
import type { UserChange } from "../model/change.ts";
import type { User } from "../model/user.ts";
import { toUserMessage } from "./convert-user.ts";
import { projectUser } from "./user-fields.ts";
import { KIND, passes, type WatchScope } from "./watch-scope.ts";

/** A message of the stream, as the handler gives it to Connect. */
export type Frame = MessageInitShape<typeof WatchUsersResponseSchema>;

/** Makes a page of a snapshot. */
export function snapshotPageFrame(
  users: readonly User[],
  scope: WatchScope,
  cursor: string,
): Frame {
  const wanted = users.filter((user) => !scope.userIds || scope.userIds.has(user.id));
  const messages = wanted.map((user) => projectUser(toUserMessage(user), scope.projection));
  return { frame: { case: "snapshotPage", value: { users: messages, cursor } } };
}

/** Makes a batch of changes; undefined if none of them passes the filter. */
export function changeBatchFrame(
  changes: readonly UserChange[],
  scope: WatchScope,
  { previousPosition, position, cursor }: BatchPlace,
): Frame | undefined {
  const passing = changes.filter((change) => passes(scope, change));
  if (passing.length === 0) return undefined;
  const value = {
    changes: passing.map((change) => toChangeMessage(change, scope)),
    previousPosition: BigInt(previousPosition),
    position: BigInt(position),
    cursor,
  };
  return { frame: { case: "changeBatch", value } };
}

/** What a batch covers. */
export interface BatchPlace {
  readonly previousPosition: number;
  readonly position: number;
  readonly cursor: string;
}

function toChangeMessage(change: UserChange, scope: WatchScope) {
  return {
    position: BigInt(change.position),
    kind: KIND[change.kind],
    furtherKinds: change.furtherKinds.map((kind) => KIND[kind]),
    user: projectUser(toStateMessage(change), scope.projection),
    commitTime: timestampFromDate(change.commitTime),
    bulk: change.bulk,
  };
}

/** A state whose personal data was erased reads like the tombstone that follows it. */
function toStateMessage({ body, userId, siteId, version }: UserChange): UserMessage {
  if (body) return fromBinary(UserSchema, body);
  const state = UserState.DELETED;
  return create(UserSchema, { id: userId, siteId, version: BigInt(version), state });
}
