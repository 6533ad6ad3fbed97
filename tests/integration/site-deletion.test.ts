import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { AuditActorKind } from "../../gen/signet/v1/user_service_pb.ts";
import { eraseClosedSites } from "../../src/domain/site-erasure.ts";
import {
  type Clients,
  createSite,
  grpcClients,
  openSite,
  refusal,
  type SignedIn,
  signUp,
  type TestSite,
  unique,
} from "../support/builders.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { openRevocationWatch } from "../support/revocation-watch.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

let opened: InnerService;
let operator: Clients;
let site: TestSite;
let person: SignedIn;

beforeAll(async () => {
  opened = await openInnerService();
  ({ operator } = opened);
});

beforeEach(async () => {
  await eraseClosedSites(opened.deps); // What the tests before have left.
  site = await openSite(createGrpcTransport({ baseUrl: opened.url }), opened.operatorKey);
  person = await signUp(site.backend);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("DeleteSite", () => {
  test("refuses a Site that is protected, and changes nothing", async () => {
    const { siteId } = site;
    await operator.sites.updateSite({ siteId, deletionProtected: true });

    const refused = await refusal(operator.sites.deleteSite({ siteId }));

    expect(refused).toMatchObject({
      code: "FailedPrecondition",
      reason: "DELETION_PROTECTED",
    });
    await expect(site.backend.users.getUser({ userId: person.userId })).resolves.toBeDefined();
    await operator.sites.updateSite({ siteId, deletionProtected: false });
    await expect(operator.sites.deleteSite({ siteId })).resolves.toBeDefined();
  });

  test("is for operators alone", async () => {
    const { siteId } = site;

    expect(await refusal(site.backend.sites.deleteSite({ siteId }))).toMatchObject({
      reason: "ACCESS_DENIED",
    });
  });

  test("ends what belongs to the Site", async () => {
    const { siteId, backend } = site;
    const { site: before } = await operator.sites.getSite({ siteId });
    const asPerson = grpcClients(opened.url, person.accessToken);
    const publicKeys = `${opened.url}/sites/${siteId}/.well-known/jwks.json`;
    expect((await fetch(publicKeys)).status).toBe(200);

    await operator.sites.deleteSite({ siteId });

    const ended = { reason: "CREDENTIAL_INVALID" };
    await until(async () => (await refusal(backend.sites.getSite({}))).reason === ended.reason);
    expect(await refusal(asPerson.auth.listSessions({}))).toMatchObject(ended);
    expect((await fetch(publicKeys)).status).toBe(404);
    const domain = before?.domains[0] ?? "";
    const gone = { reason: "SITE_NOT_FOUND" };
    expect(await refusal(operator.sites.getSiteByDomain({ domain }))).toMatchObject(gone);
    expect(await refusal(operator.sites.getSite({ siteId }))).toMatchObject(gone);
    const { userId, accessToken: token } = person;
    expect(await refusal(operator.users.getUser({ siteId, userId }))).toMatchObject(gone);
    expect(await refusal(operator.auth.validateToken({ siteId, token }))).toMatchObject(gone);
    expect(await refusal(operator.sites.updateSite({ siteId, name: "x" }))).toMatchObject(gone);
    expect(await refusal(operator.sites.listApiKeys({ siteId }))).toMatchObject(gone);
    const { sites } = await operator.sites.listSites({ pageSize: 500 });
    expect(sites.map(({ id }) => id)).not.toContain(siteId);
  });

  test("gives its domains free at once, and its id never", async () => {
    const { siteId } = site;
    const { site: before } = await operator.sites.getSite({ siteId });
    const { name = "", frontendUrl = "", domains = [] } = before ?? {};
    await operator.sites.deleteSite({ siteId });

    const other = await createSite(operator, { domains });
    const again = await refusal(operator.sites.createSite({ id: siteId, name, frontendUrl }));

    const found = await operator.sites.getSiteByDomain({ domain: domains[0] ?? "" });
    expect(found.site?.id).toBe(other);
    expect(again).toMatchObject({ reason: "ID_TAKEN" });
  });

  test("ends streams of Users with a Goodbye that says so", async () => {
    await using watch = openWatch(site.backend, { start: WatchStart.HEAD });
    await using ofOperator = openWatch(operator, {
      siteId: site.siteId,
      start: WatchStart.HEAD,
      clientId: unique("watch"),
    });
    await Promise.all([watch.next("hello"), ofOperator.next("hello")]);

    await operator.sites.deleteSite({ siteId: site.siteId });

    const { SITE_DELETED: reason } = GoodbyeReason;
    expect(await watch.next("goodbye")).toMatchObject({ reason });
    expect(await ofOperator.next("goodbye")).toMatchObject({ reason });
    expect(await refusal(watch.next("hello"))).toMatchObject({ reason: "SITE_NOT_FOUND" });
  });

  test("tells verifiers before their streams end", async () => {
    await using watch = openRevocationWatch(site.backend);
    await watch.set();

    await operator.sites.deleteSite({ siteId: site.siteId });

    const { revocations } = await watch.next("revocationBatch");
    const { reason } = await watch.next("goodbye");
    expect(revocations.map(({ subject }) => subject.case)).toEqual(["siteClosed"]);
    expect(reason).toBe(GoodbyeReason.SITE_DELETED);
  });

  test("leaves a log that tells by whom", async () => {
    const { siteId } = site;
    await operator.sites.deleteSite({ siteId });
    await eraseClosedSites(opened.deps);

    const { events } = await operator.users.listAuditEvents({ siteId, kinds: ["site.deleted"] });

    expect(events).toMatchObject([
      { actor: { kind: AuditActorKind.OPERATOR_KEY }, subject: { kind: "site", id: siteId } },
    ]);
  });
});
