import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { DigestTable } from "../../gen/signet/v1/change_pb.ts";
import {
  CompareDigestsRequestSchema,
  type CompareDigestsResponse,
  CompareDigestsResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import {
  BatchGetUsersRequestSchema,
  BatchGetUsersResponseSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { MirrorSums } from "./mirror-sums.ts";
import type { SignetClient } from "./signet-client.ts";
import { createUserFetcher, type UserFetcher } from "./user-fetcher.ts";

/** What a comparison asks of Signet, with what that has cost. */
export interface ReconcileCalls {
  /** The sums of the 256 ranges. */
  ranges(): Promise<Answer<readonly MirrorSums[]>>;
  /** The sums of the leaves of some ranges, by the number of the leaf. */
  leaves(ranges: readonly number[]): Promise<Answer<ReadonlyMap<number, MirrorSums>>>;
  /** The versions of the Users of some leaves, by id. */
  versions(leaves: readonly number[]): Promise<Answer<ReadonlyMap<string, bigint>>>;
  readonly fetchUsers: UserFetcher;
  /** Calls made so far, and the bytes of their requests and answers. */
  cost(): { readonly messages: number; readonly bytes: number };
}

/** An answer, which holds every Change up to its position. */
export interface Answer<T> {
  readonly epoch: number;
  readonly position: bigint;
  readonly value: T;
}

/** What the calls of one comparison take. */
export interface ReconcileCallOptions {
  readonly client: Pick<SignetClient, "sync" | "users">;
  /** Empty: the key's own. */
  readonly siteId: string;
  /** The least position that an answer is to hold, so that no replica that lags is asked. */
  readonly positionMin: () => bigint;
  readonly signal: AbortSignal;
}

/** Makes the calls of one comparison, and counts them. */
export function createReconcileCalls({
  client,
  siteId,
  positionMin,
  signal,
}: ReconcileCallOptions): ReconcileCalls {
  let [messages, bytes] = [0, 0];
  const note = (...parts: readonly Uint8Array[]) => {
    messages++;
    for (const part of parts) bytes += part.byteLength;
  };

  async function compare(
    wanted: MessageInitShape<typeof CompareDigestsRequestSchema>,
  ): Promise<CompareDigestsResponse> {
    const common = { siteId, positionMin: positionMin() };
    const request = create(CompareDigestsRequestSchema, { ...wanted, ...common });
    const answer = await client.sync.compareDigests(request, { signal });
    note(
      toBinary(CompareDigestsRequestSchema, request),
      toBinary(CompareDigestsResponseSchema, answer),
    );
    return answer;
  }

  return {
    async ranges() {
      const { epoch, position, ranges } = await compare({});
      return { epoch, position, value: ranges ? readTable(ranges) : [] };
    },
    async leaves(ranges) {
      const { epoch, position, rangeLeaves } = await compare({ ranges: [...ranges] });
      const value = new Map<number, MirrorSums>();
      for (const { range, leaves } of rangeLeaves) {
        const sums = leaves ? readTable(leaves) : [];
        for (const [n, leaf] of sums.entries()) value.set(LEAVES_PER_RANGE * range + n, leaf);
      }
      return { epoch, position, value };
    },
    async versions(leaves) {
      const value = new Map<string, bigint>();
      for (let [pageToken, position] = ["", 0n]; ; ) {
        const answer = await compare({ leaves: [...leaves], pageToken });
        if (answer.position > position) position = answer.position;
        for (const { rows } of answer.leafRows) {
          for (const { userId, version } of rows) value.set(userId, version);
        }
        pageToken = answer.nextPageToken;
        if (!pageToken) return { epoch: answer.epoch, position, value };
      }
    },
    fetchUsers: createUserFetcher(client, (request, answer) =>
      note(
        toBinary(BatchGetUsersRequestSchema, request),
        toBinary(BatchGetUsersResponseSchema, answer),
      ),
    ),
    cost: () => ({ messages, bytes }),
  };
}

/** Each range has so many leaves, and there are as many ranges. */
export const LEAVES_PER_RANGE = 256;

function readTable({ counts, xors }: DigestTable): MirrorSums[] {
  return counts.map((count, n) => ({ count, xor: xors[n] ?? 0n }));
}
