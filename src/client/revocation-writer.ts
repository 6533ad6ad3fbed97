import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Goodbye,
  GoodbyeReason,
  type RevocationHeartbeat,
  RevocationSchema,
} from "../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import type { WatchRevocationsResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import { reasonOf } from "./errors.ts";
import { MirrorError } from "./mirror-error.ts";
import type { MirrorConnection } from "./postgres-connection.ts";
import {
  type ClockPair,
  deleteExpired,
  readRevocationState,
  writeHeartbeat,
  writePlace,
  writeRevocations,
} from "./revocation-rows.ts";
import type { RevocationNames } from "./revocation-tables.ts";
import type { SignetClient } from "./signet-client.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";

/** What following a stream of Revocations into tables takes. */
export interface RevocationFollowing {
  readonly client: Pick<SignetClient, "watchRevocations">;
  readonly db: MirrorConnection;
  readonly names: RevocationNames;
  readonly siteId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly publish: (status: SubscriptionStatus) => void;
  readonly noteHeartbeat: () => void;
  readonly signal: AbortSignal;
}

/**
 * Writes one stream into the tables, until its end. Answers how long to wait before the next.
 *
 * @throws what ended the stream, or a write.
 */
export async function followRevocations(following: RevocationFollowing): Promise<number> {
  const { client, db, names, siteId, clientId, publish, signal } = following;
  const { cursor, clock, siteId: boundTo } = await readRevocationState(db, names);
  publish({ type: "connecting" });
  using frames = client.watchRevocations({ siteId, clientId, cursor, signal });
  const take = createFrameWriter(following, boundTo, clock);
  for (;;) {
    const result = await frames.next();
    if (signal.aborted) return 0;
    if (!result.frame) return await settleEnd(following, boundTo, result.error);
    const delayMs = await take(result.frame);
    if (delayMs !== undefined) return delayMs;
  }
}

const DELAY_MS_MAX = 10_000;
const EXPIRY_MS = 60_000;

/** Makes what writes frame by frame, and answers for the last one how long to wait. */
function createFrameWriter(
  { db, names, noteHeartbeat }: RevocationFollowing,
  boundTo: string,
  clock: string,
): (response: WatchRevocationsResponse) => Promise<number | undefined> {
  let siteId = boundTo;
  let opened: ClockPair | undefined;
  let expiryMs = Number.NEGATIVE_INFINITY;

  async function takeHeartbeat({ asOf, cursor }: RevocationHeartbeat): Promise<void> {
    if (!asOf || !opened) return;
    const isLate = await writeHeartbeat(db, names, { asOf, cursor }, opened);
    if (isLate) throw new ConnectError("heartbeats come too late", Code.Unavailable);
    noteHeartbeat();
    if (performance.now() < expiryMs) return;
    expiryMs = performance.now() + EXPIRY_MS;
    await deleteExpired(db, names, asOf);
  }

  async function takeGoodbye({ reason, retryDelayMs }: Goodbye): Promise<number> {
    if (reason === GoodbyeReason.SITE_DELETED) await closeSite(db, names, siteId);
    return Math.min(Number(retryDelayMs), DELAY_MS_MAX);
  }

  return async ({ frame }) => {
    switch (frame.case) {
      case "hello": {
        const { siteId: streamed, serverTime } = frame.value;
        if (siteId === "") await writePlace(db, names, streamed, "");
        else if (siteId !== streamed) {
          throw new MirrorError(`the table is for Site ${siteId}, not for ${streamed}`);
        }
        siteId = streamed;
        opened = serverTime && { database: clock, signet: serverTime };
        return undefined;
      }
      case "revocationBatch":
        await writeRevocations(db, names, siteId, frame.value);
        return undefined;
      case "heartbeat":
        await takeHeartbeat(frame.value);
        return undefined;
      case "goodbye":
        return await takeGoodbye(frame.value);
      case undefined: // Of a newer Signet.
        return undefined;
    }
  };
}

async function settleEnd(
  { db, names }: RevocationFollowing,
  boundTo: string,
  error: unknown,
): Promise<number> {
  // What is held stays true; the whole set comes again.
  const isRestart = reasonOf(error) === ErrorReason.INVALID_CURSOR && boundTo !== "";
  if (isRestart) await writePlace(db, names, boundTo, "");
  if (error) throw error;
  return 0;
}

/** Refuses all tokens of a Site that is no more. */
async function closeSite(
  db: MirrorConnection,
  names: RevocationNames,
  siteId: string,
): Promise<void> {
  const closed = create(RevocationSchema, { subject: { case: "siteClosed", value: {} } });
  await writeRevocations(db, names, siteId, { revocations: [closed], cursor: "" });
}
