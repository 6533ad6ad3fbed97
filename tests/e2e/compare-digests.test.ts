import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import type { DigestTable, Sums } from "../../gen/signet/v1/change_pb.ts";
import {
  type CompareDigestsResponse,
  CompareDigestsResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteId, UserId } from "../../src/model/id.ts";
import {
  clientsOf,
  createKey,
  grpcClients,
  openSite,
  refusal,
  type TestSite,
} from "../support/builders.ts";
import { type ChangeGenerator, createChangeGenerator } from "../support/change-generator.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const USERS = 20_000;

let running: SiteOnService;
let generator: ChangeGenerator;
let ids: UserId[];

beforeAll(async () => {
  running = await openSiteOnService();
  generator = createChangeGenerator(running.database.db, running.site.siteId as SiteId);
  ids = await generator.fill(USERS);
});

afterAll(() => running[Symbol.asyncDispose]());

describe("CompareDigests", () => {
  test("answers with the sums that a recount by other means gives", async () => {
    const { sync } = running.site.backend;

    const site = await sync.compareDigests({});
    const ranges = await sync.compareDigests({ ranges: [0, 7, 255] });

    const expected = digestsOf(ids.map((id) => [id, 1n] as const));
    expect(site.position).toBe(BigInt(USERS));
    expect(plain(site.sums)).toEqual(sumsOf(expected));
    expect(entriesOf(site.ranges)).toEqual(tableOf(expected, 0, 256, 256));
    expect(ranges.rangeLeaves.map(({ range }) => range)).toEqual([0, 7, 255]);
    for (const { range, leaves } of ranges.rangeLeaves) {
      expect(entriesOf(leaves)).toEqual(tableOf(expected, range * 256, 256, 1));
    }
  });

  test("lets a copy with 3 differences of 20,000 find them in 3 questions", async () => {
    const { sync } = running.site.backend;
    const [lost = "", stale = "", kept = "", ...rest] = ids.toSorted(() => Math.random() - 0.5);
    const extra = crypto.randomUUID();
    const copy = new Map([...rest, kept].map((id): [string, bigint] => [id, 1n]));
    copy.set(stale, 0n).set(extra, 1n);
    const local = digestsOf(copy);
    const answers: CompareDigestsResponse[] = [];
    const ask = async (question: { ranges?: number[]; leaves?: number[] }) => {
      const answer = await sync.compareDigests({ ...question, positionMin: BigInt(USERS) });
      answers.push(answer);
      return answer;
    };

    const { ranges } = await ask({});
    const unequal = differing(entriesOf(ranges), tableOf(local, 0, 256, 256));
    const { rangeLeaves } = await ask({ ranges: unequal });
    const leaves = rangeLeaves.flatMap(({ range, leaves }) =>
      differing(entriesOf(leaves), tableOf(local, range * 256, 256, 1)).map((n) => range * 256 + n),
    );
    const { leafRows, nextPageToken } = await ask({ leaves });
    const theirs = new Map(
      leafRows.flatMap(({ rows }) => rows.map(({ userId, version }) => [userId, version] as const)),
    );

    const wanted = [...theirs].filter(([id, version]) => copy.get(id) !== version);
    const inLeaves = [...copy.keys()].filter((id) => leaves.includes(leafOf(id)));
    expect(wanted.map(([id]) => id).toSorted()).toEqual([lost, stale].toSorted());
    expect(inLeaves.filter((id) => !theirs.has(id))).toEqual([extra]);
    expect(nextPageToken).toBe("");
    expect(answers).toHaveLength(3);
    const bytes = answers.map((each) => toBinary(CompareDigestsResponseSchema, each).length);
    // 10 bytes for each range or leaf, and at most 60 for each row.
    expect(bytes[0]).toBeLessThan(256 * 11);
    expect(bytes[1]).toBeLessThan(3 * 256 * 11);
    expect(bytes[2]).toBeLessThan((theirs.size + 3) * 60);
  });

  test("follows changes and deletions, and leaves tombstones out", async () => {
    const site = await openSite(transport(), running.service.operatorKey);
    const theirs = createChangeGenerator(running.database.db, site.siteId as SiteId);
    const [changed, removed, same] = await theirs.fill(3);
    if (!changed || !removed || !same) throw new Error("the Users are missing");
    const before = await site.backend.sync.compareDigests({});
    await theirs.update(changed);
    await theirs.remove(removed);

    const after = await site.backend.sync.compareDigests({ positionMin: 5n });
    const rows = await site.backend.sync.compareDigests({
      leaves: [changed, removed, same].map(leafOf),
    });

    const expected = digestsOf([
      [changed, 2n],
      [same, 1n],
    ]);
    expect(before.sums?.count).toBe(3n);
    expect(after.position).toBe(5n);
    expect(plain(after.sums)).toEqual(sumsOf(expected));
    expect(plain(rows.sums)).toEqual(sumsOf(expected));
    expect(rows.leafRows.map(({ leaf }) => leaf)).toEqual([changed, same].map(leafOf));
    expect(rows.leafRows.flatMap((leaf) => leaf.rows.map((row) => row.version))).toEqual([2n, 1n]);
  });

  test("pages through the rows of leaves in the order that was asked for", async () => {
    const { sync } = running.site.backend;
    const leaves = Array.from({ length: 1_024 }, (_, n) => (n * 40_503) % 65_536);
    const whole = await sync.compareDigests({ leaves });
    const pages: CompareDigestsResponse[] = [];

    for (let pageToken = ""; pages.length === 0 || pageToken !== ""; ) {
      const page = await sync.compareDigests({ leaves, pageSize: 50, pageToken });
      pages.push(page);
      pageToken = page.nextPageToken;
    }

    const byLeaf = Map.groupBy(ids.toSorted(), leafOf);
    const expected = leaves.flatMap((leaf) => (byLeaf.get(leaf) ?? []).map((id) => [leaf, id]));
    expect(pages.length).toBe(Math.ceil(expected.length / 50));
    expect(pages.flatMap(rowsOf)).toEqual(expected);
    expect(rowsOf(whole)).toEqual(expected);
  });

  test("refuses a page token of another question", async () => {
    const { sync } = running.site.backend;
    const leaves = ids.slice(0, 3).map(leafOf);
    const { nextPageToken } = await sync.compareDigests({ leaves, pageSize: 1 });

    const others = [
      { leaves: leaves.slice(1), pageToken: nextPageToken },
      { leaves, pageToken: "bm9uZQ" },
    ];

    expect(nextPageToken).not.toBe("");
    for (const other of others) {
      expect(await refusal(sync.compareDigests(other))).toMatchObject({
        code: "InvalidArgument",
        reason: "INVALID_PAGE_TOKEN",
      });
    }
  });

  test.each([
    ["both ranges and leaves", { ranges: [1], leaves: [1] }, "leaves"],
    ["a range out of bounds", { ranges: [256] }, "ranges"],
    ["a negative leaf", { leaves: [-1] }, "leaves"],
    ["a leaf out of bounds", { leaves: [65_536] }, "leaves"],
    ["a leaf twice", { leaves: [5, 5] }, "leaves"],
    ["more than 1,024 leaves", { leaves: Array.from({ length: 1_025 }, (_, n) => n) }, "leaves"],
    ["more than 256 ranges", { ranges: Array.from({ length: 257 }, () => 1) }, "ranges"],
    ["a page size without leaves", { pageSize: 10 }, "page_size"],
    ["too large a page", { leaves: [1], pageSize: 20_001 }, "page_size"],
    ["a page token without leaves", { ranges: [1], pageToken: "bm9uZQ" }, "page_token"],
    ["a negative position", { positionMin: -1n }, "position_min"],
  ])("refuses %s", async (_, question, field) => {
    expect(await refusal(running.site.backend.sync.compareDigests(question))).toMatchObject({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      metadata: { field },
    });
  });

  test("refuses a position that lies ahead of the head", async () => {
    const { sync } = running.site.backend;
    const positionMin = BigInt(USERS + 1);

    for (const question of [{ positionMin }, { positionMin, leaves: [1] }]) {
      expect(await refusal(sync.compareDigests(question))).toMatchObject({
        code: "FailedPrecondition",
        reason: "CURSOR_AHEAD",
      });
    }
  });

  test("shows a Site to nobody but its own keys and operators", async () => {
    const { operator, service, site } = running;
    const other: TestSite = await openSite(transport(), service.operatorKey);
    const reader = await createKey(operator, site.siteId, { scopes: [Scope.USERS_READ] });
    const { siteId } = site;

    const theirs = await other.backend.sync.compareDigests({ leaves: ids.slice(0, 5).map(leafOf) });

    expect(await refusal(other.backend.sync.compareDigests({ siteId }))).toMatchObject({
      code: "NotFound",
      reason: "SITE_NOT_FOUND",
    });
    expect(theirs.leafRows).toEqual([]);
    expect(theirs.sums?.count).toBe(0n);
    expect(await refusal(grpcClients(service.url, reader).sync.compareDigests({}))).toMatchObject({
      code: "PermissionDenied",
    });
    expect((await operator.sync.compareDigests({ siteId })).sums?.count).toBe(BigInt(USERS));
    expect(await refusal(clientsOf(transport()).sync.compareDigests({ siteId }))).toMatchObject({
      code: "Unauthenticated",
    });
  });
});

function transport() {
  return createGrpcTransport({ baseUrl: running.service.url });
}

interface Digest {
  readonly leaf: number;
  readonly value: bigint;
}

/** Calculated from the words of the contract alone. */
function digestsOf(users: Iterable<readonly [string, bigint]>): Digest[] {
  return [...users].map(([id, version]) => {
    const bytes = Buffer.alloc(24);
    bytes.write(id.replaceAll("-", ""), 0, "hex");
    bytes.writeBigInt64BE(version, 16);
    const value = createHash("sha256").update(bytes).digest().readBigUInt64BE();
    return { leaf: leafOf(id), value };
  });
}

function leafOf(id: string): number {
  const bytes = Buffer.from(id.replaceAll("-", ""), "hex");
  return createHash("sha256").update(bytes).digest().readUInt16BE();
}

interface PlainSums {
  readonly count: bigint;
  readonly xor: bigint;
}

function sumsOf(digests: readonly Digest[]): PlainSums {
  return {
    count: BigInt(digests.length),
    xor: digests.reduce((xor, { value }) => xor ^ value, 0n),
  };
}

function tableOf(digests: readonly Digest[], first: number, count: number, size: number) {
  const groups = Map.groupBy(digests, ({ leaf }) => Math.floor((leaf - first) / size));
  return Array.from({ length: count }, (_, n) => sumsOf(groups.get(n) ?? []));
}

function entriesOf(table: DigestTable | undefined): PlainSums[] {
  const { counts = [], xors = [] } = table ?? {};
  return counts.map((count, n) => ({ count, xor: xors[n] ?? 0n }));
}

function plain(sums: Sums | undefined): PlainSums {
  return { count: sums?.count ?? -1n, xor: sums?.xor ?? -1n };
}

function differing(theirs: readonly PlainSums[], ours: readonly PlainSums[]): number[] {
  return theirs.flatMap(({ count, xor }, n) =>
    ours[n]?.count === count && ours[n]?.xor === xor ? [] : [n],
  );
}

function rowsOf({ leafRows }: CompareDigestsResponse): (string | number)[][] {
  return leafRows.flatMap(({ leaf, rows }) => rows.map(({ userId }) => [leaf, userId]));
}
