import type { ServiceImpl } from "@connectrpc/connect";
import type { CompareDigestsRequest, SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { createDigestTables, type DigestTable, listRowsOfLeaves } from "../domain/digests.ts";
import { invalidField } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LEAVES, type LeafRow, RANGE_LEAVES, RANGES } from "../model/leaf-sums.ts";
import { LIMITS } from "../model/limits.ts";
import { callerOf } from "./authorize.ts";
import { toSumsMessage } from "./convert-mirror.ts";

/** Implements the part of `signet.v1.SyncService` by which Mirrors are compared. */
export function digestCalls(deps: Deps): Pick<ServiceImpl<typeof SyncService>, "compareDigests"> {
  const tables = createDigestTables(deps);

  return {
    async compareDigests(request, { values }) {
      const siteId = siteOf(callerOf(values), request.siteId);
      const question = parseQuestion(request);
      await deps.sites.get(siteId);
      if (question.about === "leaves") return await answerRows(deps, siteId, question);
      const table = await tables.read(siteId, question.positionMin);
      return {
        ...tableHead(table),
        ...(question.about === "site"
          ? { ranges: tableOf(table, 0, RANGES, RANGE_LEAVES) }
          : { rangeLeaves: question.ranges.map((range) => rangeLeavesOf(table, range)) }),
      };
    },
  };
}

type Question = { readonly positionMin: number } & (
  | { readonly about: "site" }
  | { readonly about: "ranges"; readonly ranges: readonly number[] }
  | LeavesQuestion
);

interface LeavesQuestion {
  readonly about: "leaves";
  readonly positionMin: number;
  readonly leaves: readonly number[];
  readonly limit: number;
  readonly token: string;
}

function parseQuestion(request: CompareDigestsRequest): Question {
  const { ranges, leaves, pageSize, pageToken: token } = request;
  const positionMin = parsePosition(request.positionMin);
  if (leaves.length > 0) {
    if (ranges.length > 0) throw invalidField("leaves", "must be empty where there are ranges");
    requireDistinct(leaves, "leaves", LIMITS.digestLeavesMax, LEAVES);
    return { about: "leaves", positionMin, leaves, limit: parsePageSize(pageSize), token };
  }
  if (pageSize !== 0) throw invalidField("page_size", "must be 0 where there are no leaves");
  if (token !== "") throw invalidField("page_token", "must be empty where there are no leaves");
  if (ranges.length === 0) return { about: "site", positionMin };
  requireDistinct(ranges, "ranges", RANGES, RANGES);
  return { about: "ranges", positionMin, ranges };
}

function parsePosition(position: bigint): number {
  if (position >= 0n && position <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(position);
  throw invalidField("position_min", "must be from 0 to 2^53 - 1");
}

function parsePageSize(pageSize: number): number {
  if (pageSize === 0) return LIMITS.digestRowsMax;
  if (pageSize >= 1 && pageSize <= LIMITS.digestRowsMax) return pageSize;
  throw invalidField("page_size", `must be from 1 to ${LIMITS.digestRowsMax}`);
}

function requireDistinct(
  numbers: readonly number[],
  field: string,
  countMax: number,
  end: number,
): void {
  if (numbers.length > countMax) throw invalidField(field, `must be at most ${countMax}`);
  if (numbers.some((number) => number < 0 || number >= end)) {
    throw invalidField(field, `must be from 0 to ${end - 1}`);
  }
  if (new Set(numbers).size < numbers.length) throw invalidField(field, "must not repeat");
}

async function answerRows(
  deps: Deps,
  siteId: SiteId,
  { leaves, positionMin, limit, token }: LeavesQuestion,
) {
  const page = { positionMin, limit, token };
  const { head, rows, nextPageToken } = await listRowsOfLeaves(deps, siteId, leaves, page);
  return {
    epoch: head.epoch,
    position: BigInt(head.position),
    sums: toSumsMessage(head.sums),
    leafRows: groupByLeaf(rows),
    nextPageToken,
  };
}

function groupByLeaf(rows: readonly LeafRow[]) {
  const groups = Map.groupBy(rows, ({ leaf }) => leaf);
  return [...groups].map(([leaf, found]) => ({
    leaf,
    rows: found.map(({ id, version }) => ({ userId: id, version: BigInt(version) })),
  }));
}

function tableHead({ epoch, position, leaves }: DigestTable) {
  return { epoch, position: BigInt(position), sums: toSumsMessage(leaves.sums(0, LEAVES)) };
}

function rangeLeavesOf(table: DigestTable, range: number) {
  return { range, leaves: tableOf(table, range * RANGE_LEAVES, RANGE_LEAVES, 1) };
}

/** The sums of `count` entries of `size` leaves each, from leaf `first` on. */
function tableOf({ leaves }: DigestTable, first: number, count: number, size: number) {
  const entries = Array.from({ length: count }, (_, n) => {
    const start = first + n * size;
    return leaves.sums(start, start + size);
  });
  return {
    counts: entries.map(({ users }) => BigInt(users)),
    xors: entries.map(({ xor }) => xor),
  };
}
