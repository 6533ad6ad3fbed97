import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openSite, signUp, type TestSite } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { runSignet, runSignetProcess } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let running: SiteOnService;
let site: TestSite;

beforeAll(async () => {
  running = await openSiteOnService();
});

afterAll(() => running[Symbol.asyncDispose]());

beforeEach(async () => {
  const { url, operatorKey } = running.service;
  site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  for (let n = 0; n < 3; n += 1) await signUp(site.backend); // Events 3 to 11.
});

describe("signet audit verify", () => {
  test("finds a chain whole, and prints its head", async () => {
    const { exitCode, stdout } = await verify();

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Chain +whole\nChecked +events 1 to 11\nHead +[0-9a-f]{64}\n$/);
  });

  test("works in a process of its own, and tells programs the same", async () => {
    const environment = { SIGNET_URL: running.service.url, SIGNET_KEY: site.key };

    const { exitCode, stdout } = await runSignetProcess(["audit", "verify", "--json"], environment);

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ whole: true, from: "1", until: "11", erased: 0 });
  });

  test("finds it whole after a deletion, and says how many values were erased", async () => {
    const person = await signUp(site.backend);
    await verify(); // Later than this, the chain would never hear of the values.
    await site.backend.users.deleteUser({ userId: person.userId });

    const { exitCode, report } = await verifyAsJson();

    expect(exitCode).toBe(0);
    expect(report).toMatchObject({ whole: true, until: "15", erased: 3 });
  });

  test.each([
    ["an event", `delete from signet.audit_events where id = $event`],
    ["a link", `delete from signet.audit_links where event_id = $event`],
    [
      "an event with its link",
      `delete from signet.audit_events where id = $event;
       delete from signet.audit_links where event_id = $event`,
    ],
  ])("finds that %s was removed", async (_, statement) => {
    await tamper(statement, 6);

    const { exitCode, report, stderr } = await verifyAsJson();

    expect(exitCode).toBe(5);
    expect(report).toMatchObject({ whole: false, until: "5", broken: { sequence: "6" } });
    expect(stderr).toBe("signet: the chain is broken: event 6 is missing: 7 follows\n");
  });

  test.each([
    ["kind", `kind = 'user.updated'`],
    ["actor", `actor_id = gen_random_uuid()`],
    ["kind of actor", `actor_kind = 'operator'`],
    ["subject", `subject_id = gen_random_uuid()`],
    ["time", `create_time = create_time + interval '1 ms'`],
    ["facts", `details = '{"x": "y"}'`],
    ["address", `client_ip = '192.0.2.99'`],
    ["further values", `personal = '{"x": "y"}'`],
    ["salt", `salt = uuid_send(gen_random_uuid())`],
  ])("finds an event with another %s", async (_, change) => {
    await tamper(`update signet.audit_events set ${change} where id = $event`, 6);

    const { exitCode, report } = await verifyAsJson();

    expect(exitCode).toBe(5);
    expect(report.broken).toMatchObject({ sequence: "6", problem: expect.any(String) });
  });

  test("finds an event that was altered together with its record and hash", async () => {
    await tamper(
      `update signet.audit_events set kind = 'user.updated' where id = $event;
       update signet.audit_links l
          set record = signet.audit_record(e),
              hash = sha256(l.previous_hash || signet.audit_record(e))
         from signet.audit_events e
        where e.site_id = l.site_id and e.id = l.event_id and e.id = $event`,
      6,
    );

    const { exitCode, report } = await verifyAsJson();

    expect(exitCode).toBe(5);
    expect(report.broken).toMatchObject({
      sequence: "7",
      problem: "does not follow from the event before",
    });
  });

  test.each([
    [
      "the places of two links",
      `update signet.audit_links set sequence = -6 where event_id = $event;
       update signet.audit_links set sequence = 6 where site_id = $site and sequence = 7;
       update signet.audit_links set sequence = 7 where event_id = $event`,
    ],
    [
      "the events of two links",
      `create temporary table pair as
         select sequence, event_id from signet.audit_links
          where site_id = $site and sequence in (6, 7);
       update signet.audit_links set event_id = gen_random_uuid()
        where site_id = $site and sequence = 6;
       update signet.audit_links set event_id = (select event_id from pair where sequence = 6)
        where site_id = $site and sequence = 7;
       update signet.audit_links set event_id = (select event_id from pair where sequence = 7)
        where site_id = $site and sequence = 6`,
    ],
  ])("finds %s swapped", async (_, statement) => {
    await tamper(statement, 6);

    const { exitCode, report } = await verifyAsJson();

    expect(exitCode).toBe(5);
    expect(report).toMatchObject({ until: "5", broken: { sequence: "6" } });
  });

  test("finds a tail that was cut off, by the head that was kept elsewhere", async () => {
    const { head } = (await verifyAsJson()).report;
    await tamper(
      `delete from signet.audit_events e using signet.audit_links l
        where l.site_id = $site and l.sequence > 8 and e.site_id = $site and e.id = l.event_id;
       delete from signet.audit_links where site_id = $site and sequence > 8;
       update signet.audit_heads h set sequence = 8, hash = l.hash
         from signet.audit_links l
        where h.site_id = $site and l.site_id = $site and l.sequence = 8`,
      8,
    );

    const trusting = await verify();
    const anchored = await verify("--expect-head", head);

    expect(trusting.exitCode).toBe(0);
    expect(anchored).toMatchObject({
      exitCode: 6,
      stdout: expect.stringMatching(/Expected head +not in the chain/),
      stderr: expect.stringContaining("no event up to 8 has the expected head"),
    });
  });

  test("finds a kept head in a chain that has grown, also from there on", async () => {
    const { head, until } = (await verifyAsJson()).report;
    await signUp(site.backend);

    const whole = await verifyAsJson("--expect-head", head);
    const later = await verifyAsJson("--from", until, "--expect-head", head);

    const expectedHead = { hash: head, sequence: "11" };
    expect(whole).toMatchObject({ exitCode: 0, report: { until: "14", expectedHead } });
    expect(later).toMatchObject({ exitCode: 0, report: { from: "11", until: "14", expectedHead } });
    expect(later.report.head).toBe(whole.report.head);
  });

  test.each([[["--from", "0"]], [["--expect-head", "abc"]]])(
    "refuses %j as called wrongly",
    async (words) => {
      expect((await verify(...words)).exitCode).toBe(2);
    },
  );
});

describe("signet audit list", () => {
  test("lists what conditions admit, the newest first", async () => {
    const person = await signUp(site.backend);

    const { exitCode, stdout } = await signet("list", "--subject", person.userId, "--since", "1h");

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^NUMBER +TIME +KIND +BY +TO +FACTS\n14 .*session\.started .*\n13 /);
    expect(stdout.trim().split("\n")).toHaveLength(4);
  });

  test("lists at most as many as wanted, for programs too", async () => {
    const { stdout } = await signet("list", "--oldest-first", "--limit", "4", "--json");

    const { events } = JSON.parse(stdout);
    expect(events.map(({ link }: { link: { sequence: string } }) => link.sequence)).toEqual([
      "1",
      "2",
      "3",
      "4",
    ]);
  });
});

function signet(...words: readonly string[]) {
  const environment = { SIGNET_URL: running.service.url, SIGNET_KEY: site.key };
  return runSignet(["audit", ...words], environment);
}

function verify(...words: readonly string[]) {
  return signet("verify", ...words);
}

async function verifyAsJson(...words: readonly string[]) {
  const { stdout, ...rest } = await verify(...words, "--json");
  return { ...rest, report: JSON.parse(stdout) };
}

/** Alters the database behind the service's back; `$event` is the event of a number. */
async function tamper(statement: string, sequence: number): Promise<void> {
  const { events } = await site.backend.users.listAuditEvents({
    oldestFirst: true,
    sequenceFrom: BigInt(sequence),
    pageSize: 1,
  });
  const text = statement
    .replaceAll("$event", `'${events[0]?.id}'`)
    .replaceAll("$site", `'${site.siteId}'`);
  await runAsAdmin(running.database.adminUrl, text);
}
