import { timestampDate } from "@bufbuild/protobuf/wkt";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import type { AuditEvent } from "../../gen/signet/v1/user_service_pb.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  openSite,
  refusal,
  signUp,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let running: SiteOnService;
let site: TestSite;
let backend: Clients;

beforeAll(async () => {
  running = await openSiteOnService();
  site = running.site;
  backend = site.backend;
  for (let n = 0; n < 5; n += 1) await signUp(backend);
});

afterAll(() => running[Symbol.asyncDispose]());

describe("ListAuditEvents", () => {
  test("tells who did what to whom, with the place in the chain", async () => {
    const person = await signUp(backend);

    const { events } = await backend.users.listAuditEvents({ subjectId: person.userId });

    expect(events.map(({ kind }) => kind)).toEqual([
      "session.started",
      "user.email_verified",
      "user.registered",
    ]);
    expect(events[0]).toMatchObject({
      siteId: site.siteId,
      actor: { id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      subject: { kind: "user", id: person.userId },
      facts: { session_id: person.sessionId },
      personal: { client_ip: expect.stringMatching(/./) },
    });
    const sequences = events.map(({ link }) => Number(link?.sequence));
    expect(sequences).toEqual([(sequences[2] ?? 0) + 2, (sequences[2] ?? 0) + 1, sequences[2]]);
  });

  test.each([true, false])(
    "gives each event once over its pages, oldestFirst: %s",
    async (oldestFirst) => {
      const [whole, paged] = [await listAll(backend, { oldestFirst }, 500), []] as [
        AuditEvent[],
        AuditEvent[],
      ];
      paged.push(...(await listAll(backend, { oldestFirst }, 3)));

      const ids = whole.map(({ id }) => id);
      expect(ids.length).toBeGreaterThan(15);
      expect(new Set(ids).size).toBe(ids.length);
      expect(paged.map(({ id }) => id)).toEqual(ids);
    },
  );

  test("does not end at a hole in the chain", async () => {
    const other = await openOther();
    for (let n = 0; n < 2; n += 1) await signUp(other.backend);
    const whole = await listAll(other.backend, { oldestFirst: true }, 500);
    await runAsAdmin(
      running.database.adminUrl,
      `delete from signet.audit_links
        where site_id = '${other.siteId}' and sequence between 3 and 6`,
    );

    const rest = await listAll(other.backend, { oldestFirst: true }, 2);

    expect(whole.map(({ link }) => Number(link?.sequence))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(rest.map(({ link }) => Number(link?.sequence))).toEqual([1, 2, 7, 8]);
  });

  test("gives the chain from a number on", async () => {
    const { events } = await backend.users.listAuditEvents({
      oldestFirst: true,
      sequenceFrom: 3n,
      pageSize: 2,
    });

    expect(events.map(({ link }) => link?.sequence)).toEqual([3n, 4n]);
  });

  test("lets only what all conditions admit through, in both orders", async () => {
    const everything = await listAll(backend, { oldestFirst: true }, 500);
    const [first, second] = await Promise.all([signUp(backend), signUp(backend)]);
    await running.operator.users.disableUser({ siteId: site.siteId, userId: first?.userId ?? "" });
    const all = await listAll(backend, { oldestFirst: true }, 500);
    const middle = all[Math.floor(all.length / 2)];
    const key = all.find(({ kind }) => kind === "user.registered")?.actor?.id ?? "";
    const timeFrom = middle?.time;
    const kinds = ["user.registered", "user.disabled"];
    const questions: [object, (event: AuditEvent) => boolean][] = [
      [{ kinds }, ({ kind }) => kinds.includes(kind)],
      [{ actorId: key }, ({ actor }) => actor?.id === key],
      [{ actorId: key, kinds }, ({ actor, kind }) => actor?.id === key && kinds.includes(kind)],
      [{ subjectId: first?.userId }, ({ subject }) => subject?.id === first?.userId],
      [
        { subjectId: first?.userId, kinds },
        ({ subject, kind }) => subject?.id === first?.userId && kinds.includes(kind),
      ],
      [{ timeFrom }, (event) => msOf(event) >= msOf(middle)],
      [{ timeUntil: timeFrom }, (event) => msOf(event) < msOf(middle)],
      [{ timeFrom, kinds }, (event) => msOf(event) >= msOf(middle) && kinds.includes(event.kind)],
    ];

    expect(everything.length).toBeLessThan(all.length);
    expect(second?.userId).toBeTruthy();
    for (const [question, admits] of questions) {
      const expected = all
        .filter(admits)
        .map(({ id }) => id)
        .toSorted();
      const oldestFirst = await listAll(backend, { ...question, oldestFirst: true }, 2);
      const newestFirst = await listAll(backend, question, 2);
      expect(expected.length).toBeGreaterThan(0);
      expect(oldestFirst.map(({ id }) => id)).toEqual(expected);
      expect(newestFirst.map(({ id }) => id)).toEqual(expected.toReversed());
    }
  });

  test("refuses the page token of another question or Site", async () => {
    const other = await openOther();
    const { nextPageToken } = await backend.users.listAuditEvents({ pageSize: 1 });
    const invalid = { code: "InvalidArgument", reason: "INVALID_PAGE_TOKEN" };

    for (const [clients, question] of [
      [backend, { kinds: ["user.created"] }],
      [backend, { oldestFirst: true }],
      [other.backend, {}],
    ] satisfies [Clients, object][]) {
      const asking = clients.users.listAuditEvents({ ...question, pageToken: nextPageToken });
      expect(await refusal(asking)).toMatchObject(invalid);
    }
  });

  test.each([
    [{ actorId: "x" }, "actor_id"],
    [{ subjectId: "x" }, "subject_id"],
    [{ kinds: ["user created"] }, "kinds"],
    [{ kinds: Array.from({ length: 33 }, (_, n) => `user.k${"x".repeat(n)}`) }, "kinds"],
    [{ pageSize: -1 }, "page_size"],
    [{ sequenceFrom: 2n }, "sequence_from"],
    [{ sequenceFrom: -2n, oldestFirst: true }, "sequence_from"],
    [{ sequenceFrom: 2n, oldestFirst: true, kinds: ["user.created"] }, "sequence_from"],
  ])("refuses %o", async (question, field) => {
    expect(await refusal(backend.users.listAuditEvents(question))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field },
    });
  });

  test("is for admins, keys with site.admin and operators", async () => {
    const { operator, service } = running;
    const person = await signUp(backend);
    const listWith = (credential?: string, siteId = "") =>
      grpcClients(service.url, credential).users.listAuditEvents({ siteId, pageSize: 1 });
    const scopes = [Scope.USERS_READ, Scope.USERS_WRITE, Scope.SYNC, Scope.AUTH];
    const weak = await createKey(operator, site.siteId, { scopes });
    const strong = await createKey(operator, site.siteId, { scopes: [Scope.SITE_ADMIN] });

    expect(await refusal(listWith())).toMatchObject({ code: "Unauthenticated" });
    expect(await refusal(listWith(weak))).toMatchObject({ code: "PermissionDenied" });
    expect(await refusal(listWith(person.accessToken))).toMatchObject({ code: "PermissionDenied" });
    expect((await listWith(strong)).events).toHaveLength(1);
    expect((await listWith(service.operatorKey, site.siteId)).events).toHaveLength(1);
  });

  test("shows a Site nothing of another", async () => {
    const other = await openOther();
    const person = await signUp(backend);
    const theirs = await other.backend.users.listAuditEvents({ oldestFirst: true });

    const foreign = await other.backend.users.listAuditEvents({ subjectId: person.userId });
    const named = other.backend.users.listAuditEvents({ siteId: site.siteId });

    expect(theirs.events.map(({ siteId }) => siteId)).toEqual(
      theirs.events.map(() => other.siteId),
    );
    expect(theirs.events.map(({ link }) => link?.sequence)).toEqual([1n, 2n]);
    expect(foreign.events).toEqual([]);
    expect(await refusal(named)).toMatchObject({ code: "NotFound", reason: "SITE_NOT_FOUND" });
  });

  test("knows no event without a Site, and tells so to operators alone", async () => {
    const { users } = running.operator;

    expect((await users.listAuditEvents({ withoutSite: true })).events).toEqual([]);
    expect(await refusal(backend.users.listAuditEvents({ withoutSite: true }))).toMatchObject({
      code: "PermissionDenied",
    });
  });

  test("keeps no personal value of a User once DeleteUser has answered", async () => {
    const person = await signUp(backend, uniqueEmail());
    const asUser = grpcClients(running.service.url, person.accessToken);
    await asUser.auth.revokeAllSessions({ keepCurrent: true });
    const before = await listAll(backend, { subjectId: person.userId }, 500);

    await backend.users.deleteUser({ userId: person.userId });

    const after = await listAll(backend, { subjectId: person.userId }, 500);
    const by = await listAll(backend, { actorId: person.userId }, 500);
    expect(before.some(({ personal }) => personal.client_ip)).toBe(true);
    expect([...after, ...by].map(({ personal }) => personal)).toEqual(
      [...after, ...by].map(() => ({})),
    );
    expect(after.map(({ link }) => link?.salt.length)).toEqual(after.map(() => 0));
    expect(after.slice(1).map(({ link }) => link?.hash)).toEqual(
      before.map(({ link }) => link?.hash),
    );
  });
});

async function openOther(): Promise<TestSite> {
  const { url, operatorKey } = running.service;
  return await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
}

async function listAll(
  { users }: Clients,
  question: object,
  pageSize: number,
): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  let pageToken = "";
  do {
    const page = await users.listAuditEvents({ ...question, pageSize, pageToken });
    events.push(...page.events);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return events;
}

function msOf(event: AuditEvent | undefined): number {
  return event?.time ? timestampDate(event.time).getTime() : 0;
}
