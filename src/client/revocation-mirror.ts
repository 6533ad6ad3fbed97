import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { jitteredDelayMs, pause } from "./backoff.ts";
import { reasonOf } from "./errors.ts";
import { MirrorError } from "./mirror-error.ts";
import { readMirrorNames } from "./mirror-names.ts";
import { createMirrorWaiting, type WaitOptions } from "./mirror-waiting.ts";
import {
  type MirrorConnection,
  type MirrorPool,
  openConnection,
  toError,
  withConnection,
} from "./postgres-connection.ts";
import { isKnownSince, readRevocationState } from "./revocation-rows.ts";
import {
  prepareRevocationTables,
  type RevocationNames,
  toRevocationNames,
} from "./revocation-tables.ts";
import { followRevocations } from "./revocation-writer.ts";
import type { SignetClient } from "./signet-client.ts";
import { createStatusFeed, type SubscriptionStatus } from "./subscription-status.ts";

/** Which Revocations to keep, and where. */
export interface RevocationMirrorOptions {
  /** Its key needs the scope `sync` or `auth`. */
  readonly client: Pick<SignetClient, "watchRevocations">;
  /** A `Pool` of pg, or what looks like one. */
  readonly pool: MirrorPool;
  /** `schema.name`; without a schema, of `public`. Default: `public.signet_revocations`. */
  readonly table?: string | undefined;
  /** The Site. Needed with an operator key only. */
  readonly siteId?: string | undefined;
  /** Names this subscriber among those with the same key, at most 64 characters. */
  readonly clientId?: string | undefined;
  /** Closes it when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What it is doing: as with a subscription, or standing by while another instance leads. */
export type RevocationMirrorStatus = SubscriptionStatus | { readonly type: "standby" };

/** Keeps the Revocations of a Site in a table, for apps of any language. */
export interface RevocationMirror extends AsyncDisposable {
  /** Begins with the present status, and ends after `closed`. */
  readonly status: AsyncIterable<RevocationMirrorStatus>;
  /**
   * Waits until everything that has ended by now is in the table.
   *
   * @throws {MirrorTimeoutError} where it is not in time.
   */
  waitUntilCurrent(options?: WaitOptions): Promise<void>;
  /** Ends it, and gives its connection back. */
  close(): Promise<void>;
}

/**
 * Keeps a table of the Revocations that still matter, and a function beside it that tells
 * whether a token is good, so that a program without this library refuses what has ended:
 *
 *     select signet_revocations_check(sid, sub, gen, kid)
 *
 * It answers `good`, `revoked`, `malformed` where something is null, or `stale` where nothing was
 * heard for 5 minutes, or for what is given as `max_staleness`. Accept a token for `good` alone,
 * and only after its signature, issuer, audience and expiry were checked.
 *
 * Several instances share the tables: one leads, the others stand by.
 *
 * @throws {TypeError} where the table's name would need quotes.
 */
export function createRevocationMirror(options: RevocationMirrorOptions): RevocationMirror {
  const { pool, table = "public.signet_revocations" } = options;
  const names = toRevocationNames(readMirrorNames(table));
  const closing = new AbortController();
  const ended = options.signal ? AbortSignal.any([closing.signal, options.signal]) : closing.signal;
  const status = createStatusFeed<{ readonly type: "standby" }>();
  const waiting = createMirrorWaiting();
  let standsBy = false;

  /** Answers how long to wait before the next attempt, in milliseconds. */
  async function lead(noteHeartbeat: () => void): Promise<number> {
    await withConnection(pool, (db) => prepareRevocationTables(db, names));
    const { publish } = status;
    const delayMs = await whileLeading(pool, names, (db) => {
      standsBy = false;
      return followRevocations({ ...options, db, names, publish, noteHeartbeat, signal: ended });
    });
    if (delayMs !== undefined) return delayMs;
    if (!standsBy) publish({ type: "standby" });
    standsBy = true;
    return STANDBY.firstMs / 2 + jitteredDelayMs(STANDBY, 1);
  }

  async function run(): Promise<void> {
    for (let failures = 0; !ended.aborted; ) {
      try {
        const noteHeartbeat = () => {
          failures = 0;
          status.publish({ type: "live" });
        };
        await pause(await lead(noteHeartbeat), ended);
      } catch (error) {
        if (isFinal(error)) return status.close(error);
        const attempt = ++failures;
        const delayMs = jitteredDelayMs(RETRY, attempt);
        standsBy = false;
        status.publish({ type: "reconnecting", attempt, delayMs, error });
        await pause(delayMs, ended);
      }
    }
    status.close(undefined);
  }

  const running = run();
  const close = async () => {
    closing.abort();
    await running;
  };
  return {
    status: { [Symbol.asyncIterator]: status.read },
    async waitUntilCurrent(waitOptions = {}) {
      await withConnection(pool, (db) => prepareRevocationTables(db, names));
      const { clock } = await withConnection(pool, (db) => readRevocationState(db, names));
      const check = () => withConnection(pool, (db) => isKnownSince(db, names, clock));
      await waiting.until(check, () => false, waitOptions);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

const RETRY = { firstMs: 200, longestMs: 10_000 };
/** An instance that stands by looks for the lead after half a second to one and a half. */
const STANDBY = { firstMs: 1_000, longestMs: 1_000 };

/** Runs with the lock of one session, and writes through that; undefined where another has it. */
async function whileLeading<T>(
  pool: MirrorPool,
  { revocations }: RevocationNames,
  run: (db: MirrorConnection) => Promise<T>,
): Promise<T | undefined> {
  const connection = await openConnection(pool);
  try {
    const key = [revocations];
    const { rows } = await connection.query(
      "select pg_try_advisory_lock(hashtextextended($1, 0)) as locked",
      key,
    );
    const isLeading = rows[0]?.locked === true;
    const result = isLeading ? await run(connection) : undefined;
    if (isLeading) {
      await connection.query("select pg_advisory_unlock(hashtextextended($1, 0))", key);
    }
    connection.release();
    return result;
  } catch (error) {
    // A connection that is closed gives up its locks by itself.
    connection.release(toError(error));
    throw error;
  }
}

/** Trying again with the same key, Site and tables would end in the same way. */
function isFinal(error: unknown): boolean {
  return error instanceof MirrorError || FINAL.has(reasonOf(error));
}

const FINAL: ReadonlySet<ErrorReason | undefined> = new Set([
  ErrorReason.CREDENTIAL_INVALID,
  ErrorReason.ACCESS_DENIED,
  ErrorReason.INVALID_FIELD,
  ErrorReason.SITE_NOT_FOUND,
]);
