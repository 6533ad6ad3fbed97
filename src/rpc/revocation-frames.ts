import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import {
  type WatchRevocationsResponse,
  WatchRevocationsResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { Deps } from "../domain/deps.ts";
import { type RevocationPlace, sealRevocationCursor } from "../domain/revocation-cursor.ts";
import type { RevocationPage } from "../domain/revocations.ts";
import type { SiteId } from "../model/id.ts";
import { toRevocationMessage } from "./convert-revocation.ts";
import { type SharedFrame, sharedFrame } from "./frame-sink.ts";
import type { StreamEnding } from "./stream-ends.ts";

/** A frame of WatchRevocations. */
export type RevocationFrame = SharedFrame<WatchRevocationsResponse>;

type FrameInit = NonNullable<MessageInitShape<typeof WatchRevocationsResponseSchema>["frame"]>;

/** What subscribers are promised; heartbeats come sooner, so that a busy moment breaks nothing. */
const HEARTBEAT_MS_MAX = 2_000;
/** Short, since nothing is heard meanwhile; ends by age are spread in time as it is. */
const RETURN_DELAY_MS_MAX = 200;

/** Makes the first frame of a stream. */
export function revocationHello(
  { clock }: Deps,
  siteId: SiteId,
  ageSecondsMax: number,
): RevocationFrame {
  const serverTime = timestampFromDate(clock.now());
  const value = { siteId, heartbeatMs: HEARTBEAT_MS_MAX, ageSecondsMax, serverTime };
  return toFrame({ case: "hello", value });
}

/** Makes the frame of what has ended. */
export function revocationBatch(
  deps: Deps,
  siteId: SiteId,
  { revocations, place }: RevocationPage,
): RevocationFrame {
  const cursor = sealRevocationCursor(deps, siteId, place);
  const value = { revocations: revocations.map(toRevocationMessage), cursor };
  return toFrame({ case: "revocationBatch", value });
}

/** Makes the frame that says how much is known. */
export function revocationHeartbeat(
  deps: Deps,
  siteId: SiteId,
  place: RevocationPlace,
  asOf: Date,
): RevocationFrame {
  const cursor = sealRevocationCursor(deps, siteId, place);
  return toFrame({ case: "heartbeat", value: { asOf: timestampFromDate(asOf), cursor } });
}

/** Makes the last frame; there is no cursor in it, since every batch has its own. */
export function revocationGoodbye(
  reason: GoodbyeReason,
  { retryDelayMs = 0 }: StreamEnding,
): RevocationFrame {
  const delayMs =
    reason === GoodbyeReason.DRAINING
      ? retryDelayMs
      : Math.round(RETURN_DELAY_MS_MAX * Math.random());
  const value = { reason, cursor: "", retryDelayMs: BigInt(delayMs) };
  return toFrame({ case: "goodbye", value });
}

function toFrame(frame: FrameInit): RevocationFrame {
  const schema = WatchRevocationsResponseSchema;
  return sharedFrame(schema, create(schema, { frame }));
}
