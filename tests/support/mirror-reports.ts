import type { MessageInitShape } from "@bufbuild/protobuf";
import { MirrorState } from "../../gen/signet/v1/change_pb.ts";
import type { ReportMirrorRequestSchema } from "../../gen/signet/v1/sync_service_pb.ts";
import { type MirrorId, newId } from "../../src/model/id.ts";

/** A request of ReportMirror. */
export type ReportInit = MessageInitShape<typeof ReportMirrorRequestSchema>;

/** Makes the report of a new Mirror that has applied nothing yet, but for what is given. */
export function mirrorReport(given: ReportInit = {}): ReportInit & { readonly id: string } {
  const state = MirrorState.LIVE;
  return { id: newId<MirrorId>(), name: "shop", state, epoch: 1, position: 0n, ...given };
}
