import * as bcrypt from "bcrypt";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { ImportMode } from "../../gen/signet/v1/user_service_pb.ts";
import { parseId, type SiteId } from "../../src/model/id.ts";
import { sql } from "../../src/store/sql.ts";
import {
  createKey,
  createSite,
  grpcClients,
  patiently,
  refusal,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { encoded, importRows } from "../support/imports.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { site, operator, service, database } = opened;
const { backend } = site;

const toSiteId = (text: string) => parseId<SiteId>(text, "site_id");

describe("an import", () => {
  test("that is a dry run says what would be and writes nothing", async () => {
    const [known] = await importRows(backend, [{ email: uniqueEmail(), username: unique("a") }]);
    const { user } = await backend.users.getUser({ userId: known?.userId ?? "" });
    const email = uniqueEmail();

    const results = await importRows(
      backend,
      [
        { email },
        { email: user?.email ?? "", displayName: "New" },
        { email: uniqueEmail(), username: user?.username ?? "" },
      ],
      { dryRun: true, mode: ImportMode.UPDATE },
    );

    expect(results).toMatchObject([
      { outcome: "CREATED", userId: "", version: 0 },
      { outcome: "UPDATED", userId: user?.id },
      { outcome: "REFUSED", reason: "USERNAME_TAKEN" },
    ]);
    const found = backend.users.lookupUser({ user: { ref: { case: "email", value: email } } });
    expect((await refusal(found)).reason).toBe("USER_NOT_FOUND");
    const { user: after } = await backend.users.getUser({ userId: user?.id ?? "" });
    expect(after?.version).toBe(user?.version);
  });

  test("that is a dry run knows the names of earlier rows, as the import will", async () => {
    const [email, username] = [uniqueEmail(), unique("ada")];
    const rows = [
      { email, username },
      { email, displayName: "Twice" },
      { email: uniqueEmail(), username },
      ...Array.from({ length: 2_000 }, () => ({ email: uniqueEmail() })),
      { email: email.toUpperCase(), displayName: "Again" },
    ];

    const dry = await importRows(backend, rows, { dryRun: true });
    const done = await importRows(backend, rows);

    const words = (results: typeof dry) =>
      results.map(({ outcome, reason }) => `${outcome} ${reason}`);
    expect(words(dry)).toEqual(words(done));
    expect(words(dry).slice(1, 3)).toEqual(["UNCHANGED ", "REFUSED USERNAME_TAKEN"]);
    expect(words(dry).at(-1)).toBe("UNCHANGED ");
  });

  test("marks its Changes as bulk, and is told of by two events", async () => {
    const siteId = await createSite(operator);
    const keyed = grpcClients(service.url, await createKey(operator, siteId));
    const rows = Array.from({ length: 450 }, (_, n) => ({ email: `user${n}@example.com` }));

    await importRows(keyed, rows);

    const { events } = await operator.users.listAuditEvents({ siteId });
    const own = events.filter(({ kind }) => kind.includes("import"));
    expect(own.map(({ kind }) => kind)).toEqual(["site.import_ended", "site.import_started"]);
    expect(own[0]?.facts).toMatchObject({ created: "450", refused: "0", complete: "true" });
    const readChanges = async () => {
      const { rows: changes } = await database.db.inSite(toSiteId(siteId), (tx) =>
        tx.query<{ kind: string; bulk: boolean }>(sql`
          select kind, bulk from signet.changes
           where site_id = ${siteId} and position is not null`),
      );
      return changes;
    };
    await until(async () => (await readChanges()).length === rows.length);
    const told = (await readChanges()).map(({ kind, bulk }) => `${kind} ${bulk}`);
    expect([...new Set(told)]).toEqual(["user_created true"]);
  });

  test("is not for keys without the scope, and hashes are not without another", async () => {
    const only = async (scopes: Scope[]) =>
      grpcClients(service.url, await createKey(operator, site.siteId, { scopes }));
    const [reader, writer] = [await only([Scope.USERS_READ]), await only([Scope.USERS_WRITE])];
    const passwordHash = encoded(await bcrypt.hash("correct horse", 4));

    const denied = await refusal(importRows(reader, [{ email: uniqueEmail() }]));
    const results = await importRows(writer, [
      { email: uniqueEmail() },
      { email: uniqueEmail(), passwordHash },
      { email: uniqueEmail(), roles: ["admin"] },
    ]);

    expect(denied.reason).toBe("ACCESS_DENIED");
    expect(results.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
      "CREATED ",
      "REFUSED ACCESS_DENIED",
      "REFUSED ACCESS_DENIED",
    ]);
  });

  test("keeps a last admin of the Site, whatever the rows say", async () => {
    const siteId = await createSite(operator);
    const keyed = grpcClients(service.url, await createKey(operator, siteId));
    const admins = [1, 2].map((n) => ({ email: `admin${n}@example.com`, roles: ["admin"] }));
    await importRows(keyed, admins);

    const results = await importRows(
      keyed,
      admins.map((row) => ({ ...row, roles: ["user"] })),
      { mode: ImportMode.UPDATE },
    );

    expect(results.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
      "UPDATED ",
      "REFUSED LAST_ADMIN",
    ]);
  });

  test("of the same rows by two callers at once makes each User once", async () => {
    const siteId = await createSite(operator);
    const keyed = grpcClients(service.url, await createKey(operator, siteId));
    const rows = Array.from({ length: 1_000 }, (_, n) => ({
      externalId: `x${n}`,
      email: `user${n}@example.com`,
      username: `user${n}`,
    }));

    const [one, other] = await Promise.all([
      importRows(keyed, rows),
      importRows(keyed, rows.toReversed(), {}, 70),
    ]);

    const created = [...one, ...other].filter(({ outcome }) => outcome === "CREATED");
    expect(created).toHaveLength(1_000);
    expect([...one, ...other].filter(({ outcome }) => outcome === "REFUSED")).toEqual([]);
    expect((await keyed.users.countUsers({})).count).toBe(1_000n);
  });

  test("meets people who register at the same time: each address has one User", async () => {
    const emails = Array.from({ length: 20 }, () => uniqueEmail());
    const rows = emails.map((email) => ({ email, username: unique("a") }));

    const [results] = await Promise.all([
      importRows(backend, rows, {}, 4),
      ...emails.map((email) =>
        patiently(() =>
          backend.auth.register({
            email,
            password: unique("correct horse"),
            delivery: Delivery.RETURN_TOKEN,
          }),
        ),
      ),
    ]);

    expect(results.filter(({ outcome }) => outcome === "REFUSED")).toEqual([]);
    const found = await Promise.all(
      emails.map((value) => backend.users.lookupUser({ user: { ref: { case: "email", value } } })),
    );
    expect(found.map(({ user }) => user?.id)).toEqual(results.map(({ userId }) => userId));
  });

  test("ends with its key, and keeps what had a result", async () => {
    const { secret, apiKey } = await operator.sites.createApiKey({
      siteId: site.siteId,
      label: "import",
      scopes: [Scope.USERS_WRITE],
    });
    const emails = [uniqueEmail(), uniqueEmail()];
    const answered = Promise.withResolvers<void>();
    async function* messages() {
      yield { options: { source: "test" } };
      yield { rows: [{ row: 1n, email: emails[0] ?? "" }] };
      await answered.promise;
      await operator.sites.revokeApiKey({ siteId: site.siteId, apiKeyId: apiKey?.id ?? "" });
      await new Promise(() => undefined); // The client would go on for ever.
    }

    const outcomes: string[] = [];
    const read = async () => {
      const keyed = grpcClients(service.url, secret);
      for await (const { results } of keyed.users.importUsers(messages())) {
        outcomes.push(...results.map(({ userId }) => userId));
        answered.resolve();
      }
    };
    const refused = await refusal(read());

    expect(refused.reason).toBe("CREDENTIAL_INVALID");
    expect(outcomes).toHaveLength(1);
  });
});
