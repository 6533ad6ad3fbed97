import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { MirrorState } from "../../gen/signet/v1/change_pb.ts";
import { openSite, type TestSite, uniqueEmail } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { mirrorReport } from "../support/mirror-reports.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, database } = opened;

let site: TestSite;
beforeEach(async () => {
  site = await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
});

function status(words: readonly string[] = [], key = site.key) {
  return runSignet(["sync", "status", ...words], { SIGNET_URL: service.url, SIGNET_KEY: key });
}

describe("signet sync status", () => {
  test("says that a Site without Mirrors is healthy", async () => {
    const { exitCode, stdout, stderr } = await status(["--check"]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^Sync {8}healthy\n/);
    expect(stdout).toContain("\n\nThere are no Mirrors.\n");
  });

  test("lists the Mirrors below the verdict and its reasons", async () => {
    const { sync, users } = site.backend;
    await users.createUser({ email: uniqueEmail() });
    await until(async () => (await sync.getSyncHealth({})).health?.head === 1n);
    const lastReconcile = { finishTime: timestampFromDate(new Date()) };
    const live = mirrorReport({ name: "shop", position: 1n, lastReconcile });
    const sums = { sums: { count: 3n }, checkpointSums: { count: 5n } };
    const diverged = mirrorReport({ name: "blog", state: MirrorState.DIVERGED, ...sums });
    await sync.reportMirror(live);
    await sync.reportMirror(diverged);

    const stdout = await until(async () => {
      const answer = await status(["--site", site.siteId], service.operatorKey);
      expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
      return answer.stdout.includes("Problem") ? answer.stdout : undefined;
    });
    const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));

    expect(rows[0]).toEqual(["Sync", "unhealthy"]);
    expect(rows[1]).toEqual([
      "Problem",
      `unhealthy: mirror diverged: blog (${diverged.id}), -2 Users`,
    ]);
    expect(rows).toContainEqual(["Users", "1 active, 0 invited, 0 disabled; 0 deleted"]);
    const [heading, ...mirrors] = rows.slice(rows.findIndex(([cell]) => cell === "MIRROR"));
    expect(heading).toEqual(HEADINGS);
    expect(mirrors).toContainEqual([
      ...["shop", "live", "1", "0", "0 ms", "0"],
      ...[expect.stringMatching(/ ago$/), expect.stringMatching(/ ago$/), live.id],
    ]);
    expect(mirrors).toContainEqual([
      ...["blog", "diverged", "0", "1", expect.stringMatching(/^\d+ (ms|s|min)$/), "-2"],
      ...[expect.stringMatching(/ ago$/), "-", diverged.id],
    ]);
  });

  test("prints both as JSON", async () => {
    const { mirror } = await site.backend.sync.reportMirror(mirrorReport());

    const { exitCode, stdout } = await status(["--json"]);
    const { health, mirrors } = JSON.parse(stdout);

    expect(exitCode).toBe(0);
    expect(health).toMatchObject({ verdict: "HEALTH_VERDICT_HEALTHY", problems: [], head: "0" });
    expect(mirrors).toMatchObject([{ id: mirror?.id, state: "MIRROR_STATE_LIVE", drift: "0" }]);
  });

  test("ends with 3 if degraded and with 4 if unhealthy, but only with --check", async () => {
    const { id } = mirrorReport();
    await site.backend.sync.reportMirror(mirrorReport({ id }));
    await age(id, "create_time", "9 days");
    const degraded = await until(async () => exitWith(await status(["--check"]), 3));
    await age(id, "report_time", "1 hour");
    const unhealthy = await until(async () => exitWith(await status(["--check", "--json"]), 4));
    const unchecked = await status();

    expect(degraded.stderr).toBe("signet: the sync is degraded: 1 problem\n");
    expect(degraded.stdout).toContain("degraded: reconcile overdue: shop");
    expect(unhealthy.stderr).toBe("signet: the sync is unhealthy: 2 problems\n");
    expect(JSON.parse(unhealthy.stdout).health.problems).toHaveLength(2);
    expect(unchecked).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("ends with 1 where nobody can tell, with or without --check", async () => {
    const operator = service.operatorKey;

    expect(await status(["--check"], operator)).toMatchObject({ exitCode: 1, stdout: "" });
    expect((await status([], operator)).stderr).toContain("--site is required");
  });
});

const HEADINGS = [
  ...["MIRROR", "STATE", "POSITION", "LAG", "BEHIND", "DRIFT", "REPORT", "RECONCILE", "ID"],
];

/** What was found out before counts for 2 s, so that a new state shows a little later. */
function exitWith<Ended extends { readonly exitCode: number }>(ended: Ended, wanted: number) {
  return ended.exitCode === wanted ? ended : undefined;
}

async function age(id: string, column: string, interval: string): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `update signet.mirrors set ${column} = ${column} - interval '${interval}' where id = '${id}'`,
  );
}
