import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HealthVerdict, MirrorState, SyncProblemKind } from "../../gen/signet/v1/change_pb.ts";
import {
  type Clients,
  grpcClients,
  openSite,
  refusal,
  refusalOf,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { mirrorReport, type ReportInit } from "../support/mirror-reports.ts";
import { createServiceKeys, startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

let database: TestDatabase;
let first: TestService;
let second: TestService;
let operator: Clients;

beforeAll(async () => {
  database = await openTestDatabase();
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  [first, second] = await Promise.all([startService(options), startService(options)]);
  operator = grpcClients(first.url, first.operatorKey);
});

afterAll(async () => {
  await Promise.all([first, second].map((service) => service[Symbol.asyncDispose]()));
  await database[Symbol.asyncDispose]();
});

function openNewSite(): Promise<TestSite> {
  return openSite(createGrpcTransport({ baseUrl: first.url }), first.operatorKey);
}

describe("ReportMirror", () => {
  test("registers a Mirror, and answers with it as it is then listed", async () => {
    const { siteId, backend } = await openNewSite();
    await backend.users.createUser({ email: uniqueEmail() });
    await backend.users.createUser({ email: uniqueEmail() });
    const head = await until(async () => {
      const { health } = await backend.sync.getSyncHealth({});
      return health?.head === 2n ? health : undefined;
    });
    const report = mirrorReport({
      position: 1n,
      sums: { count: 3n, xor: 2n ** 64n - 1n },
      checkpointSums: { count: 1n, xor: 5n },
      lastReconcile: { finishTime: timestampFromDate(new Date()), repairedCount: 2n },
      foreignWrites: 7n,
      software: "test/1.0",
    });

    const { mirror, reportIntervalSeconds } = await backend.sync.reportMirror(report);
    const { mirrors } = await backend.sync.listMirrors({});

    expect(reportIntervalSeconds).toBe(30);
    expect(head.sums?.count).toBe(2n);
    expect(mirror).toMatchObject({
      id: report.id,
      siteId,
      name: "shop",
      state: MirrorState.LIVE,
      epoch: 1,
      position: 1n,
      lagChanges: 1n,
      drift: 2n,
      foreignWrites: 7n,
      software: "test/1.0",
      sums: { count: 3n, xor: 2n ** 64n - 1n },
      lastReconcile: { repairedCount: 2n, missingCount: 0n },
    });
    expect(mirror?.lagMs).toBeGreaterThan(0n);
    expect(mirror?.apiKeyId).not.toBe("");
    expect(mirrors).toHaveLength(1);
    expect({ ...mirrors[0], lagMs: 0n }).toEqual({ ...mirror, lagMs: 0n });
  });

  test("replaces the report before, with the name of the last reporter", async () => {
    const { siteId, backend } = await openNewSite();
    const { mirror: before } = await backend.sync.reportMirror(mirrorReport({ software: "a" }));
    const state = MirrorState.DISCONNECTED;

    const report = { ...mirrorReport({ siteId, state }), id: before?.id ?? "" };
    const { mirror } = await operator.sync.reportMirror(report);

    expect(mirror).toMatchObject({ state, software: "", apiKeyId: "", siteId });
    expect(mirror?.createTime).toEqual(before?.createTime);
    expect((await backend.sync.listMirrors({})).mirrors).toHaveLength(1);
  });

  test.each<[string, ReportInit]>([
    ["id", { id: "" }],
    ["id", { id: "shop" }],
    ["name", { name: "" }],
    ["name", { name: "x".repeat(201) }],
    ["name", { name: "two\nlines" }],
    ["state", { state: MirrorState.UNSPECIFIED }],
    ["state", { state: 99 as MirrorState }],
    ["epoch", { epoch: -1 }],
    ["epoch", { epoch: 2_000_000_000 }],
    ["position", { position: -1n }],
    ["position", { position: 1n }],
    ["position", { position: 2n ** 60n }],
    ["sums.count", { sums: { count: -1n } }],
    ["checkpoint_sums.count", { checkpointSums: { count: -1n } }],
    ["last_reconcile.finish_time", { lastReconcile: {} }],
    ["last_reconcile.finish_time", { lastReconcile: { finishTime: { seconds: 2n ** 62n } } }],
    [
      "last_reconcile.altered_count",
      { lastReconcile: { finishTime: { seconds: 1n }, alteredCount: -1n } },
    ],
    ["foreign_writes", { foreignWrites: -1n }],
    ["software", { software: "x".repeat(201) }],
  ])("refuses a bad field, naming it: %s", async (field, given) => {
    const { backend } = await siteForRefusals();

    const refused = await refusal(backend.sync.reportMirror(mirrorReport(given)));

    expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
    expect((await backend.sync.listMirrors({})).mirrors).toEqual([]);
  });

  test("registers 100 Mirrors of a Site, whatever processes are asked at once", async () => {
    const { siteId, key, backend } = await openNewSite();
    const there = grpcClients(second.url, key);
    await insertMirrors(siteId, 92);
    const reports = Array.from({ length: 24 }, () => mirrorReport());

    const outcomes = await Promise.all(
      reports.map((report, n) => outcomeOf(n % 2 === 0 ? backend : there, report)),
    );
    const { mirrors } = await there.sync.listMirrors({ pageSize: 500 });
    const refused = await refusal(backend.sync.reportMirror(mirrorReport()));
    const known = mirrorReport({ id: mirrors[0]?.id ?? "", name: "known" });

    expect(refused).toMatchObject({ code: "ResourceExhausted", metadata: { limit: "100" } });
    expect(outcomes.filter((outcome) => outcome === "registered")).toHaveLength(8);
    expect(outcomes.filter((outcome) => outcome === "LIMIT_REACHED")).toHaveLength(16);
    expect(mirrors).toHaveLength(100);
    expect((await backend.sync.reportMirror(known)).mirror?.name).toBe("known");
  });
});

describe("ListMirrors", () => {
  test("lists by id, page by page", async () => {
    const { siteId, backend } = await openNewSite();
    await insertMirrors(siteId, 5);
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await backend.sync.listMirrors({ pageSize: 2, pageToken });
      ids.push(...page.mirrors.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken);

    expect(ids).toHaveLength(5);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  test("refuses a page token of another Site", async () => {
    const { siteId, backend } = await openNewSite();
    const { backend: other } = await openNewSite();
    await insertMirrors(siteId, 3);
    const { nextPageToken } = await backend.sync.listMirrors({ pageSize: 1 });

    const refused = await refusal(other.sync.listMirrors({ pageToken: nextPageToken }));

    expect(refused.reason).toBe("INVALID_PAGE_TOKEN");
  });
});

describe("DeleteMirror", () => {
  test("forgets a Mirror, which its next report registers again", async () => {
    const { backend } = await openNewSite();
    const report = mirrorReport();
    await backend.sync.reportMirror(report);

    await backend.sync.deleteMirror({ id: report.id });
    const refused = await refusal(backend.sync.deleteMirror({ id: report.id }));
    const { mirrors } = await backend.sync.listMirrors({});
    const { mirror } = await backend.sync.reportMirror(report);

    expect(refused).toMatchObject({ code: "NotFound", reason: "MIRROR_NOT_FOUND" });
    expect(mirrors).toEqual([]);
    expect(mirror?.id).toBe(report.id);
  });
});

describe("GetSyncHealth", () => {
  test("counts the Users by state, and sends back what it measures by", async () => {
    const { siteId, backend } = await openNewSite();
    const users = await Promise.all(
      [1, 2, 3].map(() => backend.users.createUser({ email: uniqueEmail() })),
    );
    await backend.users.deleteUser({ userId: users[0]?.user?.id ?? "" });

    const health = await until(async () => {
      const { health: found } = await operator.sync.getSyncHealth({ siteId });
      return found?.head === 4n ? found : undefined;
    });

    expect(health).toMatchObject({
      verdict: HealthVerdict.HEALTHY,
      problems: [],
      epoch: 1,
      oldestPosition: 1n,
      sums: { count: 2n },
      users: { activeCount: 2n, invitedCount: 0n, disabledCount: 0n, deletedCount: 1n },
      webhooks: { count: 0n, deadCount: 0n },
      thresholds: {
        mirrorLagChanges: 1_000n,
        mirrorLagMs: 60_000n,
        mirrorSilenceSeconds: 90,
        reconcileAgeSeconds: 691_200,
        webhookLagMs: 300_000n,
        sequencingDelayMs: 5_000n,
      },
    });
    expect(health.asOf).toBeDefined();
  });

  test("finds a Mirror that has diverged, and one that is silent", async () => {
    const { siteId, backend } = await openNewSite();
    const diverged = mirrorReport({ state: MirrorState.DIVERGED });
    const silent = mirrorReport();
    await backend.sync.reportMirror(diverged);
    await backend.sync.reportMirror(silent);
    await runAsAdmin(
      database.adminUrl,
      `update signet.mirrors set report_time = report_time - interval '1 hour'
        where id = '${silent.id}'`,
    );

    const health = await until(async () => {
      const { health: found } = await backend.sync.getSyncHealth({ siteId });
      return found?.problems.length === 2 ? found : undefined;
    });

    expect(health.verdict).toBe(HealthVerdict.UNHEALTHY);
    expect(health.problems).toMatchObject([
      { kind: SyncProblemKind.MIRROR_DIVERGED, subjectId: diverged.id },
      { kind: SyncProblemKind.MIRROR_SILENT, subjectId: silent.id, threshold: 90n },
    ]);
    expect(health.mirrors).toMatchObject({ count: 2n, divergedCount: 1n, silentCount: 1n });
  });
});

let refusalSite: TestSite | undefined;

/** One Site without Users for all refused reports. */
async function siteForRefusals(): Promise<TestSite> {
  refusalSite ??= await openNewSite();
  return refusalSite;
}

/** Reports as a client does: what was unavailable under load is tried again. */
async function outcomeOf({ sync }: Clients, report: ReportInit): Promise<string> {
  return await until(async () => {
    try {
      await sync.reportMirror(report);
      return "registered";
    } catch (error) {
      const { reason } = refusalOf(error);
      return reason === "UNAVAILABLE" ? undefined : reason;
    }
  });
}

async function insertMirrors(siteId: string, count: number): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `insert into signet.mirrors (site_id, id, name, state, epoch, position, foreign_writes,
                                 software, report_head, create_time, report_time)
     select '${siteId}', gen_random_uuid(), 'old', 'live', 1, 0, 0, '', 0, now(), now()
       from generate_series(1, ${count})`,
  );
}
