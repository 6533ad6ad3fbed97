import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { clientsOf, grpcClients, openSite, refusal } from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { createServiceKeys, freePort, runService, startService } from "../support/service.ts";
import { openWatch } from "../support/watch.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

describe("a bad configuration", () => {
  test("is refused in one message that names every problem and no value", async () => {
    const url = "mysql://root:hunter2@example.com/db";
    const { exitCode, stdout, stderr } = await runService({
      PORT: "70000",
      DATABASE_URL: url,
      DATABASE_POOL_MAX: "none",
      SIGNET_MASTER_KEYS: "1:c2hvcnQ=",
      SIGNET_PUBLIC_URL: "ftp://example.com",
      SIGNET_TLS_CERT_FILE: "/nowhere",
      SIGNET_OPERATER_KEY: "misspelt",
      SMTP_URL: "http://mail.example.com",
      LOG_LEVEL: "loud",
    });

    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^invalid configuration:\n/);
    for (const name of [
      "PORT must",
      "DATABASE_URL must",
      "DATABASE_POOL_MAX must",
      "SIGNET_MASTER_KEYS version 1",
      "SIGNET_PUBLIC_URL must",
      "SIGNET_TLS_KEY_FILE is required",
      "SIGNET_OPERATER_KEY is not a variable",
      "SIGNET_OPERATOR_KEY is required",
      "SMTP_URL must",
      "SMTP_FROM is required",
      "LOG_LEVEL must",
    ]) {
      expect(stderr).toContain(name);
    }
    expect(stderr).not.toContain("hunter2");
    expect(stderr).not.toContain("    at ");
  });

  test("is refused where DATABASE_URL is there without the secrets it takes", async () => {
    const { exitCode, stderr } = await runService({
      PORT: "1",
      DATABASE_URL: database.appUrl,
      SIGNET_OPERATOR_KEY: `sgn_op_${"A".repeat(43)}`,
    });

    expect(exitCode).toBe(2);
    expect(stderr).toContain("SIGNET_OPERATOR_KEY");
    expect(stderr).toContain("SIGNET_MASTER_KEYS is required with DATABASE_URL");
  });

  test("is refused where a file of the certificate cannot be read", async () => {
    const missing = join(tmpdir(), randomUUID());
    const { exitCode, stderr } = await runService({
      ...variables(),
      PORT: "1",
      SIGNET_TLS_CERT_FILE: missing,
      SIGNET_TLS_KEY_FILE: missing,
    });

    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("Signet cannot start");
    expect(stderr).toContain(missing);
  });
});

describe("a start that cannot succeed", () => {
  test("ends at once, saying that the port is taken", async () => {
    await using running = await startService({ databaseUrl: database.appUrl });
    const { exitCode, stderr } = await runService({ ...variables(), PORT: `${running.port}` });

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(new RegExp(`Signet cannot start: .*${running.port}`));
    expect((await fetch(`${running.url}/readyz`)).status).toBe(200);
  });

  test("ends at once, saying that the role is a superuser", async () => {
    const { exitCode, stderr } = await runService({
      ...variables(),
      PORT: `${await freePort()}`,
      DATABASE_URL: database.adminUrl,
    });

    expect(exitCode).toBe(1);
    expect(stderr).toContain("Signet cannot start: the database is not fit to serve");
    expect(stderr).toContain("is a superuser");
  });

  test("ends at once, saying that the schema is missing", async () => {
    const name = `signet_empty_${randomUUID().slice(0, 8)}`;
    await runAsAdmin(database.adminUrl, `create database ${name}`);
    const emptyUrl = new URL(database.appUrl);
    emptyUrl.pathname = `/${name}`;
    try {
      const { exitCode, stderr } = await runService({
        ...variables(),
        PORT: `${await freePort()}`,
        DATABASE_URL: emptyUrl.href,
      });

      expect(exitCode).toBe(1);
      expect(stderr).toContain("signet migrate");
    } finally {
      await runAsAdmin(database.adminUrl, `drop database ${name} with (force)`);
    }
  });
});

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  test("ends the service with 0 within seconds, and its streams with UNAVAILABLE", async () => {
    await using service = await startService({ databaseUrl: database.appUrl });
    const transport = createConnectTransport({ baseUrl: service.url, httpVersion: "1.1" });
    const { siteId, key } = await openSite(transport, service.operatorKey);
    await using overHttp1 = openWatch(clientsOf(transport, service.operatorKey), { siteId });
    await using overGrpc = openWatch(grpcClients(service.url, key));
    for (const watch of [overHttp1, overGrpc]) {
      await watch.next("hello");
      await watch.next("snapshotEnd");
    }
    const ends = [overHttp1, overGrpc].map(async (watch) => {
      const { reason } = await watch.next("goodbye");
      return { reason, end: await refusal(watch.next("hello")) };
    });
    const beginMs = performance.now();

    const exitCode = await service.stop(signal);

    expect(exitCode).toBe(0);
    expect(performance.now() - beginMs).toBeLessThan(10_000);
    expect(service.stderr()).not.toMatch(/"level":[56]0/);
    for (const { reason, end } of await Promise.all(ends)) {
      expect(reason).toBe(GoodbyeReason.DRAINING);
      expect(end).toMatchObject({ code: "Unavailable", reason: "SHUTTING_DOWN" });
      expect(end.retryDelayMs).toBeGreaterThan(0);
    }
  });
});

function variables(): Readonly<Record<string, string>> {
  const keys = createServiceKeys();
  return {
    DATABASE_URL: database.appUrl,
    SIGNET_OPERATOR_KEY: keys.operatorKey,
    SIGNET_MASTER_KEYS: keys.masterKeys,
    SIGNET_PUBLIC_URL: "https://id.signet.test",
  };
}
