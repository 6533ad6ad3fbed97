import { once } from "node:events";
import { rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SMTPServer } from "smtp-server";
import { expect, test } from "vitest";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { migrate } from "../../src/store/migrate.ts";
import { ensureDatabase, prepareRoles } from "../../src/store/roles.ts";
import { openSite, unique, uniqueEmail } from "../support/builders.ts";
import { openTestFolder, silentLog, testPostgresVersion } from "../support/postgres.ts";
import { startService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const SAYS_SO = "a job has ended, and is still queued";
const RECOVERY_MS_MAX = 60_000;

test("a job that ends while the database is away leaves the process alive", async () => {
  const folder = await openTestFolder();
  await using mailServer = await openHeldMailServer();
  const postgres = await launch(folder);
  const { url: databaseUrl, ownerUrl } = await prepareRoles(
    await ensureDatabase(postgres.adminUrl, "signet"),
  );
  await migrate({ ownerUrl, log: silentLog });
  await using service = await startService({
    databaseUrl,
    env: { SMTP_URL: mailServer.url, SMTP_FROM: "Signet <no-reply@signet.test>" },
  });
  const transport = createGrpcTransport({ baseUrl: service.url });
  const { backend } = await openSite(transport, service.operatorKey);
  await backend.auth.register({ email: uniqueEmail(), password: unique("correct horse") });
  await mailServer.arrived;

  await postgres.stop();
  mailServer.release();
  await until(() => service.stderr().includes(SAYS_SO), RECOVERY_MS_MAX);
  const again = await launch(folder);
  await until(async () => (await fetch(`${service.url}/readyz`)).ok, RECOVERY_MS_MAX);

  expect(service.exitCode()).toBeUndefined();
  expect(service.stderr()).not.toContain("uncaught error");
  await service[Symbol.asyncDispose]();
  await again.stop();
  await rm(folder, { recursive: true });
});

async function launch(folder: string) {
  const dataDir = join(folder, "data");
  const version = testPostgresVersion();
  return await startEmbeddedPostgres({ dataDir, log: silentLog, version, durable: false });
}

/** A mail server that takes the first mail, and says so only when a test lets it. */
async function openHeldMailServer() {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    onData(stream, _session, done) {
      stream.resume().once("end", () => {
        arrived.resolve();
        released.promise.then(() => done(), done);
      });
    },
  });
  server.on("error", () => undefined); // Clients that are killed in the middle.
  const listener = server.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo; // It listens on TCP.
  return {
    url: `smtp://127.0.0.1:${port}`,
    arrived: arrived.promise,
    release: released.resolve,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
