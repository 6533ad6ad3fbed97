import { randomUUID } from "node:crypto";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import {
  type Clients,
  clientsOf,
  createKey,
  grpcClients,
  openSite,
  refusal,
  signUp,
} from "../support/builders.ts";
import { mirrorReport } from "../support/mirror-reports.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator, site: home } = opened;
const transport = createGrpcTransport({ baseUrl: service.url });

describe("Mirrors and their health are for", () => {
  test("a key with `sync` for all, with `site.admin` for all but reports, no other", async () => {
    const [sync, admin, reader] = await Promise.all([
      keyWith(Scope.SYNC),
      keyWith(Scope.SITE_ADMIN),
      keyWith(Scope.USERS_READ, Scope.AUTH),
    ]);
    const report = mirrorReport();

    await sync.sync.reportMirror(report);
    const listed = [await sync.sync.listMirrors({}), await admin.sync.listMirrors({})];
    await admin.sync.getSyncHealth({});
    const refusals = await Promise.all([
      refusal(admin.sync.reportMirror(report)),
      refusal(reader.sync.reportMirror(report)),
      refusal(reader.sync.listMirrors({})),
      refusal(reader.sync.deleteMirror({ id: report.id })),
      refusal(reader.sync.getSyncHealth({})),
    ]);
    await admin.sync.deleteMirror({ id: report.id });

    expect(listed.map(({ mirrors }) => mirrors.length)).toEqual([1, 1]);
    for (const { reason } of refusals) expect(reason).toBe("ACCESS_DENIED");
  });

  test("an admin reads and deletes, another User does not", async () => {
    const person = await signUp(home.backend);
    const asUser = clientsOf(transport, person.accessToken);
    const refused = await refusal(asUser.sync.getSyncHealth({}));
    await operator.users.updateUser({
      siteId: home.siteId,
      userId: person.userId,
      roles: { roles: ["admin"] },
    });
    const { refreshToken } = person;
    const { tokens } = await home.backend.auth.refreshToken({ refreshToken });
    const asAdmin = clientsOf(transport, tokens?.accessToken ?? "");
    const report = mirrorReport();
    await home.backend.sync.reportMirror(report);

    expect(refused.reason).toBe("ACCESS_DENIED");
    expect((await asAdmin.sync.listMirrors({})).mirrors).toHaveLength(1);
    expect((await asAdmin.sync.getSyncHealth({})).health?.mirrors?.count).toBe(1n);
    expect(await refusal(asAdmin.sync.reportMirror(report))).toMatchObject({
      reason: "ACCESS_DENIED",
    });
    await asAdmin.sync.deleteMirror({ id: report.id });
  });

  test("nobody for another Site, whose Mirrors are no more than ids of nothing", async () => {
    const foreign = await openSite(transport, service.operatorKey);
    const report = mirrorReport();
    await foreign.backend.sync.reportMirror(report);

    const { sync } = home.backend;
    const named = { siteId: foreign.siteId };
    const refusals = await Promise.all([
      refusal(sync.reportMirror({ ...report, ...named })),
      refusal(sync.listMirrors(named)),
      refusal(sync.deleteMirror({ ...named, id: report.id })),
      refusal(sync.getSyncHealth(named)),
    ]);
    const deleted = await refusal(sync.deleteMirror({ id: report.id }));
    await sync.reportMirror({ ...report, name: "the same id at home" });

    for (const { reason } of refusals) expect(reason).toBe("SITE_NOT_FOUND");
    expect(deleted).toEqual(await refusal(sync.deleteMirror({ id: randomUUID() })));
    expect((await foreign.backend.sync.listMirrors({})).mirrors).toMatchObject([{ name: "shop" }]);
    expect((await sync.listMirrors({})).mirrors).toHaveLength(1);
    expect(await refusal(operator.sync.listMirrors({}))).toMatchObject({ reason: "INVALID_FIELD" });
    expect(await refusal(operator.sync.getSyncHealth({ siteId: randomUUID() }))).toMatchObject({
      reason: "SITE_NOT_FOUND",
    });
  });
});

async function keyWith(...scopes: readonly Scope[]): Promise<Clients> {
  return grpcClients(service.url, await createKey(operator, home.siteId, { scopes: [...scopes] }));
}
