import { randomBytes } from "node:crypto";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { parseConfig } from "../../src/config.ts";
import { mintOperatorKey } from "../../src/crypto/site-secret.ts";
import type { Deps } from "../../src/domain/deps.ts";
import type { StreamBounds } from "../../src/rpc/stream-bounds.ts";
import type { EdgeLimits } from "../../src/server/edge-limits.ts";
import { createReadiness } from "../../src/server/readiness.ts";
import { createService } from "../../src/service.ts";
import { type Clients, grpcClients, openSite, type TestSite } from "./builders.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";
import { silentLog } from "./postgres.ts";

/** The service within the test's own process, which can shorten what would take long. */
export interface InnerService extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly database: TestDatabase;
  /** What its rules work with; its jobs run where a test runs them. */
  readonly deps: Deps;
  readonly operator: Clients;
  readonly operatorKey: string;
  readonly site: TestSite;
  /** How many streams are open. */
  streams(): number;
  /** Brings it to rest as a signal would. */
  drain(): Promise<void>;
}

/** Starts the service on a free port and opens a Site. Dispose of it at the end. */
export async function openInnerService(
  streamBounds: Partial<StreamBounds> = {},
  edgeLimits: Partial<EdgeLimits> = {},
): Promise<InnerService> {
  const database = await openTestDatabase();
  const operatorKey = mintOperatorKey().text;
  const { deps, server, startReader, stopReader, streams } = await createService({
    config: { ...parseConfig({ HOST: "127.0.0.1" }), port: 0 },
    db: database.db,
    operatorKey,
    masterKeys: { current: 1, keys: new Map([[1, randomBytes(32)]]) },
    readiness: createReadiness([]),
    log: silentLog,
    streamBounds,
    edgeLimits,
  });
  await startReader();
  const { port } = await server.listen();
  const url = `http://127.0.0.1:${port}`;
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey.reveal());
  return {
    url,
    port,
    database,
    deps,
    operator: grpcClients(url, operatorKey.reveal()),
    operatorKey: operatorKey.reveal(),
    site,
    streams,
    drain: () => server.drain(1_000),
    async [Symbol.asyncDispose]() {
      await server.drain(0);
      await stopReader();
      await database[Symbol.asyncDispose]();
    },
  };
}
