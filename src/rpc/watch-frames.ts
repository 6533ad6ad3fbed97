import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  ChangeBatchSchema,
  CheckpointSchema,
  GoodbyeReason,
  HelloSchema,
  SnapshotEndSchema,
  SnapshotPageSchema,
} from "../../gen/signet/v1/change_pb.ts";
import { WatchUsersResponseSchema } from "../../gen/signet/v1/sync_service_pb.ts";
import { type User as UserMessage, UserSchema, UserState } from "../../gen/signet/v1/user_pb.ts";
import type { SiteHead, SiteSums, UserChange } from "../model/change.ts";
import type { User } from "../model/user.ts";
import { toUserMessage } from "./convert-user.ts";
import { type SharedFrame, sharedFrame } from "./frame-sink.ts";
import type { StreamEnding } from "./stream-ends.ts";
import { projectUser } from "./user-fields.ts";
import { KIND, passes, type WatchScope } from "./watch-scope.ts";

type FrameInit = NonNullable<MessageInitShape<typeof WatchUsersResponseSchema>["frame"]>;

/** Makes a message of the stream of what one of the functions below returns. */
export function toFrame(frame: FrameInit): SharedFrame {
  return sharedFrame(WatchUsersResponseSchema, create(WatchUsersResponseSchema, { frame }));
}

/** What the first frame says, besides where the log stands. */
export interface HelloFields {
  readonly cursor: string;
  readonly snapshot: boolean;
  readonly heartbeatSeconds: number;
  readonly ageSecondsMax: number;
  readonly serverTime: Date;
}

/** Makes the first frame of a stream or an answer. */
export function toHello(
  siteId: string,
  { projection }: WatchScope,
  head: SiteHead,
  { serverTime, ...fields }: HelloFields,
): MessageInitShape<typeof HelloSchema> {
  return {
    siteId,
    epoch: head.epoch,
    head: BigInt(head.position),
    oldestPosition: BigInt(head.oldestPosition),
    userCount: BigInt(head.sums.users),
    userFields: [...projection],
    serverTime: timestampFromDate(serverTime),
    ...fields,
  };
}

/** Makes a page of a snapshot. */
export function toSnapshotPage(
  users: readonly User[],
  { projection }: WatchScope,
  cursor: string,
): MessageInitShape<typeof SnapshotPageSchema> {
  return { users: users.map((user) => projectUser(toUserMessage(user), projection)), cursor };
}

/** Makes the end of a snapshot. */
export function toSnapshotEnd(
  position: number,
  tailPosition: number,
  cursor: string,
): MessageInitShape<typeof SnapshotEndSchema> {
  return { position: BigInt(position), tailPosition: BigInt(tailPosition), cursor };
}

/** What a batch covers. */
export interface BatchPlace {
  readonly previousPosition: number;
  readonly position: number;
  readonly cursor: string;
}

/** Makes a batch of the changes that pass the filter; there may be none. */
export function toChangeBatch(
  changes: readonly UserChange[],
  scope: WatchScope,
  { previousPosition, position, cursor }: BatchPlace,
): MessageInitShape<typeof ChangeBatchSchema> {
  return {
    changes: changes
      .filter((change) => passes(scope, change))
      .map((change) => toChangeMessage(change, scope)),
    previousPosition: BigInt(previousPosition),
    position: BigInt(position),
    cursor,
  };
}

/** Makes a checkpoint. */
export function toCheckpoint({
  position,
  cursor,
  head,
  sums,
  serverTime,
}: {
  readonly position: number;
  readonly cursor: string;
  readonly head: number;
  readonly sums: SiteSums | undefined;
  readonly serverTime: Date;
}): MessageInitShape<typeof CheckpointSchema> {
  return {
    position: BigInt(position),
    cursor,
    head: BigInt(Math.max(head, position)),
    ...(sums && { sums: { count: BigInt(sums.users), xor: sums.xor } }),
    serverTime: timestampFromDate(serverTime),
  };
}

/** Makes the last frame. */
export function goodbyeFrame(
  reason: GoodbyeReason,
  { retryDelayMs = 0 }: StreamEnding,
  cursor: string,
): SharedFrame {
  const value = { reason, cursor, retryDelayMs: BigInt(retryDelayMs) };
  return toFrame({ case: "goodbye", value });
}

/** Makes the message of a change, with the fields that a projection shows. */
export function toChangeMessage(
  change: UserChange,
  { projection }: Pick<WatchScope, "projection">,
) {
  return {
    position: BigInt(change.position),
    kind: KIND[change.kind],
    furtherKinds: change.furtherKinds.map((kind) => KIND[kind]),
    user: projectUser(toStateMessage(change), projection),
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
