import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { Authorization } from "../gen/envoy/service/auth/v3/external_auth_pb.ts";
import { AuthService } from "../gen/signet/v1/auth_service_pb.ts";
import { SiteService } from "../gen/signet/v1/site_service_pb.ts";
import { SyncService } from "../gen/signet/v1/sync_service_pb.ts";
import { UserService } from "../gen/signet/v1/user_service_pb.ts";
import type { Config } from "./config.ts";
import { createPages } from "./console/pages/pages.ts";
import { createEnvelope } from "./crypto/envelope.ts";
import { createHashQueue } from "./crypto/hash-queue.ts";
import { createSubkeys, type MasterKeys } from "./crypto/subkeys.ts";
import { createAuditChain } from "./domain/audit-chain.ts";
import { type Authentication, createAuthentication } from "./domain/authentication.ts";
import { createCallLimits } from "./domain/call-limits.ts";
import { createChangeReader } from "./domain/change-reader.ts";
import type { Deps } from "./domain/deps.ts";
import { createForwardAuth } from "./domain/forward-auth.ts";
import { createKeyRing } from "./domain/key-ring.ts";
import { createKeyUses } from "./domain/key-uses.ts";
import { createKnownSites } from "./domain/known-sites.ts";
import { createKnownUsers, type KnownUsers } from "./domain/known-users.ts";
import { createLiveState } from "./domain/live-state.ts";
import { createPublicOrigins, type PublicOrigins } from "./domain/public-origins.ts";
import { createRevocationLog, type RevocationLog } from "./domain/revocation-log.ts";
import { wellKnownOf } from "./domain/well-known.ts";
import { createWorkCounts, type WorkCounts } from "./jobs/work-counts.ts";
import type { Secret } from "./model/secret.ts";
import { readAccessRules } from "./rpc/access-rules.ts";
import { authService } from "./rpc/auth-service.ts";
import type { Gate } from "./rpc/authorize.ts";
import { createBrowserRules } from "./rpc/browser-rules.ts";
import { type CallCounts, createCallCounts } from "./rpc/call-counts.ts";
import { createCallRules } from "./rpc/call-rules.ts";
import { failureToConnectError } from "./rpc/errors.ts";
import { extAuthzService } from "./rpc/ext-authz-service.ts";
import { createPageSites } from "./rpc/page-site.ts";
import { createPageTransport } from "./rpc/page-transport.ts";
import { createProxyAnswers } from "./rpc/proxy-answer.ts";
import { servedService } from "./rpc/served-service.ts";
import { siteService } from "./rpc/site-service.ts";
import type { StreamBounds } from "./rpc/stream-bounds.ts";
import { syncService } from "./rpc/sync-service.ts";
import { syncStreams } from "./rpc/sync-streams.ts";
import { userService } from "./rpc/user-service.ts";
import { createWatchDeps, type WatchDeps } from "./rpc/watch-deps.ts";
import type { EdgeLimits } from "./server/edge-limits.ts";
import type { Endpoint } from "./server/http-endpoints.ts";
import type { GatherMetrics } from "./server/metrics.ts";
import type { Readiness } from "./server/readiness.ts";
import { createServer, type Server } from "./server/server.ts";
import { createDeps } from "./service-deps.ts";
import { type Observation, observeService } from "./service-observation.ts";
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
  /** Asks all processes for their metrics; absent: this one is alone. */
  readonly gatherMetrics?: GatherMetrics | undefined;
  /** What differs from `STREAM_BOUNDS`: for tests, which cannot wait for so long. */
  readonly streamBounds?: Partial<StreamBounds>;
  /** What differs from `EDGE_LIMITS`: for tests too. */
  readonly edgeLimits?: Partial<EdgeLimits>;
}

/** All parts of the service, wired up. */
export interface Service {
  readonly deps: Deps;
  readonly server: Server;
  /** Where the background work is counted. */
  readonly work: WorkCounts;
  /** Absent: nobody looks. */
  readonly observation: Observation | undefined;
  /** Begins to follow the log, once the database is ready; calls are answered from then on. */
  startReader(): Promise<void>;
  stopReader(): Promise<void>;
  /** Calls `listener` when the log has brought something; it must not throw or wait. */
  onChange(listener: () => void): void;
  /** How many streams, and calls that wait as such, are open. */
  streams(): number;
}

/** Where `npm run build:console` puts it. */
const CONSOLE_FOLDER = join(import.meta.dirname, "../dist/console");

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
  const knownUsers = createKnownUsers({ db, isFresh: reader.isFresh });
  const origins = createPublicOrigins(db);
  const revocations = createRevocationLog();
  const hashQueue = createHashQueue({ concurrency: config.hashThreads });
  const shared = { envelope, sites, live, wakeReader: reader.wakeAfterCommit };
  const deps = await createDeps({ ...options, subkeys, hashQueue, shared });
  let started = false;
  reader.onStep(({ rows, epochChanged }) => {
    live.apply(rows);
    sites.apply(rows, epochChanged);
    knownUsers.apply(rows, epochChanged);
    origins.apply(rows, epochChanged);
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
  const uses = createKeyUses(db, log);
  const keyRing = createKeyRing({ db, isFresh: reader.isFresh, uses });
  const gate = createGate(options, deps, createAuthentication(deps, keyRing));
  const isStarted = () => started;
  const [calls, work] = [createCallCounts(), createWorkCounts()];
  const observation = observeService(options, {
    calls,
    work,
    hashQueue,
    db,
    reader,
    limits: gate.limits,
    streams: users.ends,
    server: () => server.stats(),
  });
  const { endpoint: metrics } = observation ?? {};
  const behind = { gate, isStarted, users, revocations, origins, knownUsers, calls, metrics };
  const server = await createPort(options, deps, behind);
  let watching: NodeJS.Timeout | undefined;

  return {
    deps,
    server,
    work,
    observation,
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
      await Promise.all([reader.stop(), auditChain.stop(), uses.flush()]);
    },
    onChange: reader.onStep,
    streams: users.ends.count,
  };
}

/** What stands behind the port, besides the rules. */
interface BehindPort {
  readonly gate: Gate;
  readonly isStarted: () => boolean;
  readonly users: WatchDeps;
  readonly knownUsers: KnownUsers;
  readonly revocations: RevocationLog;
  readonly origins: PublicOrigins;
  readonly calls: CallCounts;
  readonly metrics: Endpoint | undefined;
}

/** Puts the services behind the port, by the same rules on every way in. */
async function createPort(
  options: ServiceOptions,
  deps: Deps,
  { gate, isStarted, users, revocations, origins, knownUsers, calls, metrics }: BehindPort,
): Promise<Server> {
  const { config, log, readiness } = options;
  const rules = createCallRules({ log, gate, isStarted, counts: calls });
  const judge = createForwardAuth(deps, knownUsers, config.forwardAuth);
  const answerProxy = createProxyAnswers({ judge, isStarted });
  const served = [
    servedService(AuthService, authService(deps)),
    servedService(SiteService, siteService(deps)),
    servedService(UserService, userService(deps, users.ends)),
    servedService(SyncService, syncService(deps, { users, revocations })),
  ];
  return createServer({
    config: { ...config, tls: await readTls(config), limits: options.edgeLimits ?? {} },
    interceptors: rules.interceptors,
    ...(!options.adapterOnly && {
      direct: {
        rules,
        streams: syncStreams({ users, revocations }),
        unary: served.flatMap(({ unary }) => unary),
      },
    }),
    routes: (router) => {
      for (const { register } of served) register(router);
      router.service(Authorization, extAuthzService(answerProxy));
    },
    browsers: createBrowserRules(gate, origins),
    readiness,
    wellKnown: wellKnownOf(deps),
    answerProxy,
    consoleFolder: CONSOLE_FOLDER,
    metrics,
    pages: createPages({
      connect: createPageTransport(
        rules,
        served.flatMap(({ unary }) => unary),
      ),
      findSite: createPageSites(deps, { isStarted, log }),
    }),
    endStreams: users.ends.drain,
    refusal: failureToConnectError,
    log,
  });
}

function createGate(
  { config, db, log }: ServiceOptions,
  { keyedDigest: digest, sites, publicUrl }: Deps,
  authentication: Authentication,
): Gate {
  const limits = createCallLimits({ db, digest, log, percent: config.ratePercent });
  return { rules: readAccessRules(SERVICES), authentication, sites, limits, publicUrl };
}

async function readTls({ tls }: Config) {
  if (!tls) return undefined;
  const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
  return { cert, key };
}
