import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDataFolder } from "../../src/demo/data-folder.ts";
import { clientsOf, openSite } from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import {
  createServiceKeys,
  freePort,
  launchService,
  runService,
  startService,
  type TestService,
} from "../support/service.ts";
import { until } from "../support/waiting.ts";
import { isAlive, startWorkers, untilWorkers } from "../support/workers.ts";

const WAIT_MS_MAX = 60_000;

const folder = mkdtempSync(join(tmpdir(), "signet-workers-"));
const certFile = join(folder, "cert.pem");
const keyFile = join(folder, "key.pem");
let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("workers serve TLS, and a renewed certificate once they are replaced", async () => {
  const first = makeCertificate();
  const env = { SIGNET_TLS_CERT_FILE: certFile, SIGNET_TLS_KEY_FILE: keyFile };
  await using service = await startWorkers(2, { databaseUrl: database.appUrl, env });
  const baseUrl = `https://localhost:${service.port}`;
  const nodeOptions = { ca: first };
  const { backend } = await openSite(
    createGrpcTransport({ baseUrl, nodeOptions }),
    service.operatorKey,
  );
  const overHttp1 = createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions });
  const operator = clientsOf(overHttp1, service.operatorKey);

  const { site } = await backend.sites.getSite({});
  const { sites } = await operator.sites.listSites({});
  const second = makeCertificate();
  process.kill(service.pid, "SIGUSR2");
  await untilWorkers(service, 4);
  const shown = await until(async () => {
    const certificates = await Promise.all([shownAt(service.port), shownAt(service.port)]);
    return certificates.every((one) => one === fingerprintOf(second)) && certificates;
  }, WAIT_MS_MAX);

  expect(sites.map(({ id }) => id)).toContain(site?.id);
  expect(shown).toHaveLength(2);
  expect(fingerprintOf(second)).not.toBe(fingerprintOf(first));
});

describe("several workers without a database that they can use", () => {
  test("take connections at once where it is away, and are not ready", async () => {
    const databaseUrl = `postgres://signet_app:none@127.0.0.1:${await freePort()}/signet`;
    const env = { SIGNET_WORKERS: "2" };
    await using service = await startService({ databaseUrl, env, ready: false });

    const readiness = await fetch(`${service.url}/readyz`);
    const exitCode = await service.stop("SIGTERM");

    expect(readiness.status).toBe(503);
    expect(exitCode).toBe(0);
  });

  test("end at once where it is not fit, and say so once", async () => {
    const keys = createServiceKeys();
    const { exitCode, stderr } = await runService({
      PORT: `${await freePort()}`,
      DATABASE_URL: database.adminUrl,
      SIGNET_OPERATOR_KEY: keys.operatorKey,
      SIGNET_MASTER_KEYS: keys.masterKeys,
      SIGNET_WORKERS: "2",
    });

    expect(exitCode).toBe(1);
    expect(stderr.match(/^Signet cannot start: the database is not fit/gm)).toHaveLength(1);
  });
});

test("workers share one database, and none outlives a kill of the primary", async () => {
  const data = await createDataFolder();
  const [port, postgresPort] = [await freePort(), await freePort()];
  const services: TestService[] = [];
  const start = async (): Promise<TestService> => {
    const service = launchService(port, {
      SIGNET_DATA_DIR: data.path,
      SIGNET_POSTGRES_PORT: `${postgresPort}`,
      SIGNET_WORKERS: "2",
    });
    services.push(service);
    await until(() => service.stdout().includes("Signet is ready"), WAIT_MS_MAX);
    return service;
  };
  try {
    const killed = await start();
    const workers = await untilWorkers(killed, 2);
    const readers = await countReaders(data.path, postgresPort);
    await killed.stop("SIGKILL");
    await until(() => !workers.some(({ pid }) => isAlive(pid)), WAIT_MS_MAX);
    const next = await start();
    const exitCode = await next.stop("SIGTERM");

    expect(workers).toHaveLength(2);
    expect(readers).toBe(2);
    expect(exitCode).toBe(0);
  } finally {
    await Promise.all(services.map((service) => service.stop("SIGTERM")));
    await data.remove();
  }
});

/** Each process follows the log by a connection of its own. */
async function countReaders(dataDir: string, port: number): Promise<number> {
  const password = readFileSync(join(dataDir, "postgres-password"), "utf8");
  const [row] = await runAsAdmin<{ readonly count: number }>(
    `postgres://postgres:${password}@127.0.0.1:${port}/signet`,
    `select count(*)::integer as count from pg_stat_activity
      where application_name = 'signet reader'`,
  );
  return row?.count ?? 0;
}

/** Makes another certificate and key in the same files, and returns the certificate. */
function makeCertificate(): Buffer {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", keyFile, "-out", certFile];
  execFileSync("openssl", ["req", "-x509", ...curve, ...names, ...files], { stdio: "ignore" });
  return readFileSync(certFile);
}

function fingerprintOf(certificate: Buffer): string {
  return new X509Certificate(certificate).fingerprint256;
}

/** The fingerprint of the certificate that a new connection is shown. */
async function shownAt(port: number): Promise<string> {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
