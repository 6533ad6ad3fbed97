import { readFile } from "node:fs/promises";
import type { Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { AuthService } from "../gen/signet/v1/auth_service_pb.ts";
import { SiteService } from "../gen/signet/v1/site_service_pb.ts";
import { SyncService } from "../gen/signet/v1/sync_service_pb.ts";
import { UserService } from "../gen/signet/v1/user_service_pb.ts";
import type { Config } from "./config.ts";
import { createCursorBox } from "./crypto/cursor-box.ts";
import { createEnvelope } from "./crypto/envelope.ts";
import { createHashQueue } from "./crypto/hash-queue.ts";
import { createPasswordHasher } from "./crypto/password-hash.ts";
import { operatorKeyHash } from "./crypto/site-secret.ts";
import { createSubkeys, type MasterKeys } from "./crypto/subkeys.ts";
import { createAuthentication } from "./domain/authentication.ts";
import { createChangeReader } from "./domain/change-reader.ts";
import type { Deps } from "./domain/deps.ts";
import { createKeyRing } from "./domain/key-ring.ts";
import { createKnownSites } from "./domain/known-sites.ts";
import { createLiveState } from "./domain/live-state.ts";
import { createRevocationLog } from "./domain/revocation-log.ts";
import { systemClock } from "./model/clock.ts";
import { Failure } from "./model/failure.ts";
import type { SiteId } from "./model/id.ts";
import type { Secret } from "./model/secret.ts";
import { readAccessRules } from "./rpc/access-rules.ts";
import { authService } from "./rpc/auth-service.ts";
import { authorize } from "./rpc/authorize.ts";
import { createChangeRing } from "./rpc/change-ring.ts";
import { encodeUser } from "./rpc/convert-user.ts";
import { failureToConnectError, translateErrors } from "./rpc/errors.ts";
import { logCalls } from "./rpc/log-calls.ts";
import { siteService } from "./rpc/site-service.ts";
import { syncService } from "./rpc/sync-service.ts";
import { userService } from "./rpc/user-service.ts";
import type { Readiness } from "./server/readiness.ts";
import { createServer, type Server } from "./server/server.ts";
import { CHANGE_CHANNEL } from "./store/changes.ts";
import type { Database } from "./store/database.ts";

/** What {@link createService} is built from. */
export interface ServiceOptions {
  readonly config: Config;
  readonly db: Database;
  readonly operatorKey: Secret;
  readonly masterKeys: MasterKeys;
  readonly readiness: Readiness;
  readonly log: Logger;
}

/** All parts of the service, wired up. */
export interface Service {
  readonly deps: Deps;
  readonly server: Server;
  /** Begins to follow the log, once the database is ready; calls are answered from then on. */
  startReader(): Promise<void>;
  stopReader(): Promise<void>;
}

const SERVICES = [AuthService, SiteService, UserService, SyncService];

/** Builds the parts of the service and gives each what it needs. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, db, log, readiness } = options;
  const subkeys = createSubkeys(options.masterKeys);
  const envelope = createEnvelope(subkeys);
  const reader = createChangeReader({ db, log });
  const live = createLiveState(reader.isFresh);
  const sites = createKnownSites({ db, envelope, isFresh: reader.isFresh });
  const ring = createChangeRing();
  const revocations = createRevocationLog();
  const hashQueue = createHashQueue({ concurrency: config.hashConcurrency });
  const deps: Deps = {
    db,
    clock: systemClock,
    hasher: await createPasswordHasher(subkeys, hashQueue),
    envelope,
    cursors: createCursorBox(subkeys),
    operatorKeyHash: requireOperatorKeyHash(options.operatorKey),
    encodeUser,
    publicUrl: config.publicUrl,
    sites,
    live,
    wakeReaders() {
      reader.wake();
      db.notifySoon(CHANGE_CHANNEL);
    },
  };
  let started = false;
  reader.onStep(({ rows, epochChanged }) => {
    live.apply(rows);
    sites.apply(rows, epochChanged);
    if (epochChanged && started) reloadRevocations();
  });
  reader.onStep(ring.apply);
  reader.onStep(revocations.apply);

  /** A restored database may hold revocations that this process has not read in its log. */
  function reloadRevocations(): void {
    live.load({ query: db.acrossSites }).catch((error: unknown) => {
      log.warn({ err: error }, "revocations are not loaded: trying again");
      setTimeout(reloadRevocations, 1_000).unref();
    });
  }
  const rules = readAccessRules(SERVICES);
  const authentication = createAuthentication(deps, createKeyRing(db, reader.isFresh));
  const server = createServer({
    config: { ...config, tls: await readTls(config) },
    interceptors: [
      logCalls(log),
      translateErrors(log),
      requireStarted(() => started),
      authorize({ rules, authentication, sites }),
    ],
    routes: (router) =>
      router
        .service(AuthService, authService(deps))
        .service(SiteService, siteService(deps))
        .service(UserService, userService(deps))
        .service(SyncService, syncService(deps, { ring, epoch: reader.epoch, revocations })),
    readiness,
    jwks: (siteId) => findJwks(deps, siteId),
    refusal: failureToConnectError,
    log,
  });
  let watching: NodeJS.Timeout | undefined;

  return {
    deps,
    server,
    async startReader() {
      await reader.start();
      await live.load({ query: db.acrossSites });
      await revocations.begin({ query: db.acrossSites });
      db.listen(CHANGE_CHANNEL, { onNotify: reader.wake, onState: reader.wake });
      started = true;
      const watch = () => {
        readiness.set("database", !reader.isAway());
        readiness.set("reader", !reader.isAway());
      };
      watch();
      watching = setInterval(watch, 250);
    },
    async stopReader() {
      clearInterval(watching);
      await reader.stop();
    },
  };
}

function requireOperatorKeyHash(operatorKey: Secret): Buffer {
  const hash = operatorKeyHash(operatorKey.reveal());
  if (!hash) throw new Error("the operator key is malformed");
  return hash;
}

/** Until the database has been prepared once, its tables may not even exist. */
function requireStarted(isStarted: () => boolean): Interceptor {
  return (next) => async (request) => {
    const ofSignet = request.service.typeName.startsWith("signet.");
    if (ofSignet && !isStarted()) throw new Failure("unavailable", {}, { retryDelayMs: 1_000 });
    return await next(request);
  };
}

async function findJwks(deps: Deps, siteId: SiteId) {
  try {
    return { keys: (await deps.sites.get(siteId)).publicJwks };
  } catch (error) {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  }
}

async function readTls({ tls }: Config) {
  if (!tls) return undefined;
  const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
  return { cert, key };
}
