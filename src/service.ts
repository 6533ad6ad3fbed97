import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { AuthService } from "../gen/signet/v1/auth_service_pb.ts";
import { SiteService } from "../gen/signet/v1/site_service_pb.ts";
import { SyncService } from "../gen/signet/v1/sync_service_pb.ts";
import { UserService } from "../gen/signet/v1/user_service_pb.ts";
import type { Config } from "./config.ts";
import { createCursorBox } from "./crypto/cursor-box.ts";
import { createEnvelope } from "./crypto/envelope.ts";
import { createHashQueue } from "./crypto/hash-queue.ts";
import { createKeyedDigest } from "./crypto/keyed-digest.ts";
import { createPasswordHasher } from "./crypto/password-hash.ts";
import { operatorKeyHash } from "./crypto/site-secret.ts";
import { createSubkeys, type MasterKeys } from "./crypto/subkeys.ts";
import { createAuditChain } from "./domain/audit-chain.ts";
import { type Authentication, createAuthentication } from "./domain/authentication.ts";
import { createCallLimits } from "./domain/call-limits.ts";
import { createChangeReader } from "./domain/change-reader.ts";
import type { Deps } from "./domain/deps.ts";
import { createKeyRing } from "./domain/key-ring.ts";
import { createKnownSites } from "./domain/known-sites.ts";
import { createLiveState } from "./domain/live-state.ts";
import { createPublicOrigins } from "./domain/public-origins.ts";
import { createRevocationLog } from "./domain/revocation-log.ts";
import { wellKnownOf } from "./domain/well-known.ts";
import { systemClock } from "./model/clock.ts";
import type { Secret } from "./model/secret.ts";
import { readAccessRules } from "./rpc/access-rules.ts";
import { authService } from "./rpc/auth-service.ts";
import type { Gate } from "./rpc/authorize.ts";
import { createBrowserRules } from "./rpc/browser-rules.ts";
import { createCallRules } from "./rpc/call-rules.ts";
import { encodeUser } from "./rpc/convert-user.ts";
import { failureToConnectError } from "./rpc/errors.ts";
import { siteService } from "./rpc/site-service.ts";
import type { StreamBounds } from "./rpc/stream-bounds.ts";
import { syncService } from "./rpc/sync-service.ts";
import { syncStreams } from "./rpc/sync-streams.ts";
import { userService } from "./rpc/user-service.ts";
import { createWatchDeps } from "./rpc/watch-deps.ts";
import type { EdgeLimits } from "./server/edge-limits.ts";
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
  /** Whether Connect's adapter serves everything: to compare what is served without it. */
  readonly adapterOnly?: boolean;
  /** What differs from `STREAM_BOUNDS`: for tests, which cannot wait for so long. */
  readonly streamBounds?: Partial<StreamBounds>;
  /** What differs from `EDGE_LIMITS`: for tests too. */
  readonly edgeLimits?: Partial<EdgeLimits>;
}

/** All parts of the service, wired up. */
export interface Service {
  readonly deps: Deps;
  readonly server: Server;
  /** Begins to follow the log, once the database is ready; calls are answered from then on. */
  startReader(): Promise<void>;
  stopReader(): Promise<void>;
  /** How many streams, and calls that wait as such, are open. */
  streams(): number;
}

const SERVICES = [AuthService, SiteService, UserService, SyncService];

/** Builds the parts of the service and gives each what it needs. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, db, log, readiness } = options;
  const processName = randomUUID();
  const subkeys = createSubkeys(options.masterKeys);
  const envelope = createEnvelope(subkeys);
  // Others are woken once there is something to read: earlier they would be in each other's way.
  const onNews = () => db.notifySoon(CHANGE_CHANNEL, processName);
  const reader = createChangeReader({ db, log, onNews });
  const auditChain = createAuditChain(db, log);
  const live = createLiveState(reader.isFresh);
  const sites = createKnownSites({ db, envelope, isFresh: reader.isFresh });
  const revocations = createRevocationLog();
  const hashQueue = createHashQueue({ concurrency: config.hashThreads });
  const deps: Deps = {
    db,
    clock: systemClock,
    hasher: await createPasswordHasher(subkeys, hashQueue),
    envelope,
    cursors: createCursorBox(subkeys),
    keyedDigest: createKeyedDigest(subkeys),
    operatorKeyHash: requireOperatorKeyHash(options.operatorKey),
    encodeUser,
    publicUrl: config.publicUrl,
    sites,
    live,
    wakeReader: reader.wakeAfterCommit,
  };
  let started = false;
  reader.onStep(({ rows, epochChanged }) => {
    live.apply(rows);
    sites.apply(rows, epochChanged);
    if (epochChanged && started) reloadRevocations();
  });
  const users = createWatchDeps(deps, { bounds: options.streamBounds });
  reader.onStep(revocations.apply);
  reader.onStep(users.apply); // The last: streams end when everybody knows why.

  /** A restored database may hold revocations that this process has not read in its log. */
  function reloadRevocations(): void {
    live.load({ query: db.acrossSites }).then(users.ends.recheck, (error: unknown) => {
      log.warn({ err: error }, "revocations are not loaded: trying again");
      setTimeout(reloadRevocations, 1_000).unref();
    });
  }
  const authentication = createAuthentication(deps, createKeyRing(db, reader.isFresh));
  const gate = createGate(options, deps, authentication);
  const rules = createCallRules({ log, gate, isStarted: () => started });
  const server = createServer({
    config: { ...config, tls: await readTls(config), limits: options.edgeLimits ?? {} },
    interceptors: rules.interceptors,
    ...(!options.adapterOnly && { direct: { rules, streams: syncStreams(users) } }),
    routes: (router) =>
      router
        .service(AuthService, authService(deps))
        .service(SiteService, siteService(deps))
        .service(UserService, userService(deps))
        .service(SyncService, syncService(deps, { users, revocations })),
    browsers: createBrowserRules(gate, createPublicOrigins(db)),
    readiness,
    wellKnown: wellKnownOf(deps),
    endStreams: users.ends.drain,
    refusal: failureToConnectError,
    log,
  });
  let watching: NodeJS.Timeout | undefined;

  return {
    deps,
    server,
    async startReader() {
      await reader.start();
      await auditChain.start();
      await live.load({ query: db.acrossSites });
      await revocations.begin({ query: db.acrossSites });
      const onNotify = (sender: string) => {
        if (sender !== processName) reader.wake(); // Its own wake-ups have woken it already.
      };
      db.listen(CHANGE_CHANNEL, { onNotify, onState: reader.wake });
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
      await Promise.all([reader.stop(), auditChain.stop()]);
    },
    streams: users.ends.count,
  };
}

function createGate(
  { config, db, log }: ServiceOptions,
  { keyedDigest: digest, sites, publicUrl }: Deps,
  authentication: Authentication,
): Gate {
  const limits = createCallLimits({ db, digest, log, percent: config.ratePercent });
  return { rules: readAccessRules(SERVICES), authentication, sites, limits, publicUrl };
}

function requireOperatorKeyHash(operatorKey: Secret): Buffer {
  const hash = operatorKeyHash(operatorKey.reveal());
  if (!hash) throw new Error("the operator key is malformed");
  return hash;
}

async function readTls({ tls }: Config) {
  if (!tls) return undefined;
  const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
  return { cert, key };
}
