import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import {
  type ReportMirrorRequest,
  SyncService,
  WatchStart,
  WatchUsersResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { type User, UserSchema, UserState } from "../../gen/signet/v1/user_pb.ts";
import { UserService } from "../../gen/signet/v1/user_service_pb.ts";
import { createSignetClient, type SignetClient } from "../../src/client/index.ts";
import { type Frame, refusal, startServer, untilAborted } from "../unit/client/watch-server.ts";
import { compareDigests, sumsOf } from "./site-digests.ts";

/** What may go wrong on the way to a Mirror. */
export interface Faults {
  /** Every frame comes twice. */
  duplicates: boolean;
  /** The connection is cut after every frame that follows a hello. */
  cuts: boolean;
  /** The states of a batch come in the wrong order, and the stream falls back again and again. */
  disorder: boolean;
  /** The next batch is left out. */
  gap: boolean;
  /** Checkpoints come without sums, as during a catch-up. */
  noSums: boolean;
  /** Checkpoints have sums that are not those of the Users. */
  wrongSums: boolean;
  /** Streams are refused. */
  away: boolean;
  /** Reports are refused. */
  noReports: boolean;
}

/** A Site in memory, as Signet would serve it, over real connections. */
export interface SiteModel extends AsyncDisposable {
  readonly client: SignetClient;
  readonly faults: Faults;
  /** Called with the number, from 0 on, of a page of a snapshot that is read and not yet sent. */
  onPage: (page: number) => void | Promise<void>;
  /** The fields that the key may see; empty: all. */
  userFields: readonly string[];
  /** How many streams are open. */
  streams(): number;
  /** Creates or changes a User; returns the User's version. */
  put(id: string, email?: string): bigint;
  /** Leaves a tombstone. */
  remove(id: string): void;
  /** Takes a User away without a trace, as a restore from a backup does. */
  forget(id: string): void;
  /** Creates or changes a User, with no Change that would tell of it. */
  putSilently(id: string, email?: string): void;
  /** Leaves a tombstone, with no Change that would tell of it. */
  removeSilently(id: string): void;
  /** What Mirrors have reported. */
  readonly reports: readonly ReportMirrorRequest[];
  /** Cuts every connection. */
  cut(): void;
  /** Falls back behind what was sent, in the same epoch. */
  fallBack(): void;
  /** Begins another epoch, in which the User has fallen back to version 1. */
  restoreBackup(id: string, email: string): void;
  /** Drops the log, so that no cursor can be resumed. */
  expireCursors(): void;
  /** Ends the Site, and all streams. */
  deleteSite(): void;
  /** The Users, as a Mirror should have them: address by id. */
  users(): Map<string, string>;
}

interface Place {
  readonly epoch: number;
  /** Counts how often the log was dropped. */
  readonly kept: number;
  readonly scope: string;
  readonly phase: "snapshot" | "tail";
  readonly after: string;
  readonly position: number;
}

const PAGE_MAX = 3;
const BATCH_MAX = 2;
const BEAT_MS = 100;
/** The Site that is served where none is named. */
export const SITE_ID = "0190a000-0000-7000-8000-000000000000";

/** Starts a Site without Users. */
export async function startSiteModel(siteId = SITE_ID): Promise<SiteModel> {
  const users = new Map<string, User>();
  const faults: Faults = {
    ...{ duplicates: false, cuts: false, disorder: false, gap: false },
    ...{ noSums: false, wrongSums: false, noReports: false, away: false },
  };
  const reports: ReportMirrorRequest[] = [];
  const log: User[] = [];
  let [epoch, kept, isDeleted] = [1, 1, false];
  let streams = 0;
  let changed = Promise.withResolvers<void>();
  const sealed = (place: Omit<Place, "epoch" | "kept" | "scope">) =>
    JSON.stringify({ ...place, epoch, kept, scope: model.userFields.join() });
  const projected = (user: User) =>
    create(UserSchema, model.userFields.length > 0 ? { ...user, email: "" } : user);

  function write(user: User): bigint {
    users.set(user.id, user);
    log.push(user);
    announce();
    return user.version;
  }

  function tombstoneOf(id: string): User {
    const version = (users.get(id)?.version ?? 0n) + 1n;
    return create(UserSchema, { id, siteId, version, state: UserState.DELETED });
  }

  function announce(): void {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  }

  function openPlace(cursor: string, atHead: boolean): Place {
    const scope = model.userFields.join();
    const phase = atHead ? "tail" : "snapshot";
    const start = { phase, after: "", position: log.length } as const;
    const place: Place = JSON.parse(cursor || sealed(start));
    const refuse = (reason: ErrorReason) => refusal(Code.FailedPrecondition, reason);
    if (place.epoch !== epoch) throw refuse(ErrorReason.EPOCH_CHANGED);
    if (place.scope !== scope) throw refuse(ErrorReason.SCOPE_CHANGED);
    if (place.kept !== kept) throw refuse(ErrorReason.CURSOR_EXPIRED);
    if (place.position > log.length) throw refuse(ErrorReason.CURSOR_AHEAD);
    return place;
  }

  async function* frames(place: Place, signal: AbortSignal): AsyncGenerator<Frame> {
    streams++;
    try {
      yield* framesFrom(place, signal);
    } finally {
      streams--;
    }
  }

  async function* framesFrom(place: Place, signal: AbortSignal): AsyncGenerator<Frame> {
    const head = BigInt(log.length);
    const isSnapshot = place.phase === "snapshot";
    const live = [...users.values()].filter(({ state }) => state !== UserState.DELETED);
    const about = { siteId, epoch, head, snapshot: isSnapshot, userCount: BigInt(live.length) };
    const userFields = [...model.userFields];
    const value = { ...about, userFields, heartbeatSeconds: 15, cursor: sealed(place) };
    yield { case: "hello", value };
    if (isSnapshot) yield* snapshot(place);
    yield* tail(place.position, signal);
  }

  async function* snapshot({ after: start, position }: Place): AsyncGenerator<Frame> {
    for (let [after, page] = [start, 0]; ; page++) {
      const ids = [...users.keys()].filter((id) => id > after).sort();
      const shown = ids.slice(0, PAGE_MAX).flatMap((id) => users.get(id) ?? []);
      after = shown.at(-1)?.id ?? after;
      const cursor = sealed({ phase: "snapshot", after, position });
      const value = { users: shown.map(projected), cursor };
      await model.onPage(page);
      if (shown.length > 0) yield { case: "snapshotPage", value };
      if (shown.length < PAGE_MAX) break;
    }
    const cursor = sealed({ phase: "tail", after: "", position });
    const [exact, tailPosition] = [BigInt(log.length), BigInt(position)];
    yield { case: "snapshotEnd", value: { position: exact, tailPosition, cursor } };
  }

  async function* tail(start: number, signal: AbortSignal): AsyncGenerator<Frame> {
    for (let [position, furthest] = [start, start]; !signal.aborted; ) {
      if (isDeleted) {
        yield { case: "goodbye", value: { reason: GoodbyeReason.SITE_DELETED } };
        throw refusal(Code.NotFound, ErrorReason.SITE_NOT_FOUND);
      }
      const next = changed.promise;
      const isSkipping = faults.gap && log.length > position + BATCH_MAX;
      if (isSkipping) [position, faults.gap] = [position + BATCH_MAX, false];
      const batch = log.slice(position, position + BATCH_MAX);
      yield batch.length > 0 ? batchFrame(position, batch) : checkpointFrame(position);
      if (batch.length === 0) await Promise.race([next, untilAborted(signal), delay(BEAT_MS)]);
      position += batch.length;
      const isNew = position > furthest;
      furthest = Math.max(furthest, position);
      if (faults.disorder && isNew) position = Math.max(start, position - 2 * BATCH_MAX);
    }
  }

  function checkpointFrame(position: number): Frame {
    const cursor = sealed({ phase: "tail", after: "", position });
    const [at, head] = [BigInt(position), BigInt(log.length)];
    const { count, xor } = sumsOf(users.values());
    const sums = { count, xor: faults.wrongSums ? xor ^ 1n : xor };
    const hasSums = !faults.noSums && position === log.length;
    const value = { position: at, head, cursor, serverTime: timestampNow() };
    return { case: "checkpoint", value: { ...value, ...(hasSums && { sums }) } };
  }

  function batchFrame(previous: number, batch: readonly User[]): Frame {
    const position = previous + batch.length;
    const changes = batch.map((user, n) => ({
      position: BigInt(previous + n + 1),
      user: projected(user),
    }));
    if (faults.disorder) changes.reverse();
    const cursor = sealed({ phase: "tail", after: "", position });
    const range = { previousPosition: BigInt(previous), position: BigInt(position) };
    return { case: "changeBatch", value: { changes, ...range, cursor } };
  }

  const server = await startServer((router) => {
    router.rpc(SyncService.method.watchUsers, async function* ({ cursor, start }, { signal }) {
      if (faults.away) throw refusal(Code.Unavailable, ErrorReason.UNAVAILABLE);
      const place = openPlace(cursor, start === WatchStart.HEAD);
      for await (const frame of frames(place, signal)) {
        yield create(WatchUsersResponseSchema, { frame });
        const isHello = frame.case === "hello";
        if (faults.duplicates && !isHello) yield create(WatchUsersResponseSchema, { frame });
        if (!faults.cuts || isHello || frame.case === "checkpoint") continue;
        await delay(5); // What was written has to leave the process.
        server.cut();
      }
    });
    router.rpc(SyncService.method.compareDigests, (request) => ({
      ...{ epoch, position: BigInt(log.length) },
      ...compareDigests(users.values(), request),
    }));
    router.rpc(SyncService.method.reportMirror, (request) => {
      if (faults.noReports) throw refusal(Code.Unavailable, ErrorReason.UNAVAILABLE);
      reports.push(request);
      return { reportIntervalSeconds: 1 };
    });
    router.rpc(UserService.method.batchGetUsers, ({ userIds }) => ({
      users: userIds.flatMap((id) => users.get(id) ?? []).map(projected),
      missingIds: userIds.filter((id) => !users.has(id)),
    }));
  });
  const client = createSignetClient({ url: server.url, key: "sgn_site_test" });
  const model: SiteModel = {
    client,
    faults,
    reports,
    cut: server.cut,
    onPage: () => undefined,
    userFields: [],
    streams: () => streams,
    put(id, email = `${id.slice(-4)}@example.com`) {
      const version = (users.get(id)?.version ?? 0n) + 1n;
      return write(create(UserSchema, { id, siteId, version, email, state: UserState.ACTIVE }));
    },
    remove: (id) => void write(tombstoneOf(id)),
    removeSilently: (id) => void users.set(id, tombstoneOf(id)),
    forget(id) {
      users.delete(id);
    },
    putSilently(id, email = `${id.slice(-4)}@example.com`) {
      const version = (users.get(id)?.version ?? 0n) + 1n;
      users.set(id, create(UserSchema, { id, siteId, version, email, state: UserState.ACTIVE }));
    },
    fallBack() {
      log.length--;
      server.cut();
    },
    restoreBackup(id, email) {
      epoch++;
      users.set(id, create(UserSchema, { id, siteId, version: 1n, email, state: 1 }));
      server.cut();
    },
    expireCursors() {
      kept++;
      server.cut();
    },
    deleteSite() {
      isDeleted = true;
      announce();
    },
    users: () =>
      new Map(
        [...users.values()]
          .filter(({ state }) => state !== UserState.DELETED)
          .map((user) => [user.id, projected(user).email] as const)
          .sort(),
      ),
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
  return model;
}

/** The nth of the ids that the tests use, in order. */
export function idOf(n: number): string {
  return `0190a000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}
