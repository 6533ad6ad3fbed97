import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Revocation } from "../../gen/signet/v1/change_pb.ts";
import { MirrorError } from "./mirror-error.ts";
import { WRITER_SETTING } from "./mirror-tables.ts";
import { inTransaction, type MirrorConnection } from "./postgres-connection.ts";
import type { RevocationNames } from "./revocation-tables.ts";

/** Where the tables stand, and the database's clock. */
export interface RevocationState {
  readonly siteId: string;
  /** Empty: nothing is known yet. */
  readonly cursor: string;
  /** The clock, as text that keeps its microseconds. */
  readonly clock: string;
}

/** Two clocks at one moment: the database's was not later than Signet's. */
export interface ClockPair {
  readonly database: string;
  readonly signet: Timestamp;
}

/** Reads where the tables stand. */
export async function readRevocationState(
  db: MirrorConnection,
  { state }: RevocationNames,
): Promise<RevocationState> {
  const { rows } = await db.query(
    `select site_id::text, cursor, clock_timestamp()::text as clock from ${state}`,
  );
  const [row] = rows;
  if (!row) throw lostRow(state);
  return {
    siteId: String(row.site_id ?? ""),
    cursor: String(row.cursor),
    clock: String(row.clock),
  };
}

/** Tells whether everything that had ended at a moment of the database's clock is known. */
export async function isKnownSince(
  db: MirrorConnection,
  { state }: RevocationNames,
  clock: string,
): Promise<boolean> {
  const { rows } = await db.query(`select known_time >= $1::timestamptz as known from ${state}`, [
    clock,
  ]);
  return rows[0]?.known === true;
}

/** Binds the tables to a Site, or lets them begin anew with an empty cursor. */
export async function writePlace(
  db: MirrorConnection,
  { state }: RevocationNames,
  siteId: string,
  cursor: string,
): Promise<void> {
  await db.query(`update ${state} set site_id = $1, cursor = $2`, [siteId, cursor]);
}

/** Writes a batch with its cursor. Facts are never taken back, so that repeats change nothing. */
export async function writeRevocations(
  db: MirrorConnection,
  { revocations, state }: RevocationNames,
  siteId: string,
  batch: { readonly revocations: readonly Revocation[]; readonly cursor: string },
): Promise<void> {
  const rows = batch.revocations.flatMap((revocation) => toRow(siteId, revocation) ?? []);
  await writing(db, async () => {
    await db.query(
      `insert into ${revocations} as present
         (site_id, kind, subject_id, generation, revoke_time, expire_time)
       select distinct on (kind, subject_id)
              site_id, kind, subject_id, generation, revoke_time, expire_time
         from json_to_recordset($1::json) as incoming (
                site_id uuid, kind text, subject_id text, generation bigint,
                revoke_time timestamptz, expire_time timestamptz)
        order by kind, subject_id, generation desc
       on conflict (kind, subject_id) do update
         set generation = excluded.generation, revoke_time = excluded.revoke_time,
             expire_time = excluded.expire_time
       where excluded.generation > present.generation`,
      [JSON.stringify(rows)],
    );
    await db.query(`update ${state} set cursor = $1`, [batch.cursor]);
  });
}

/**
 * Notes up to when everything is known. On the database's clock that is never too late, however
 * long the heartbeat has lain somewhere: it is counted from a moment before the stream began.
 *
 * Answers whether the heartbeat was so late that the stream cannot be trusted to be alive.
 */
export async function writeHeartbeat(
  db: MirrorConnection,
  { state }: RevocationNames,
  { asOf, cursor }: { readonly asOf: Timestamp; readonly cursor: string },
  opened: ClockPair,
): Promise<boolean> {
  const { rows } = await db.query(
    `update ${state}
        set cursor = $1, as_of = $2,
            known_time = least(
              clock_timestamp(),
              $2::timestamptz + ($3::timestamptz - $4::timestamptz))
      returning known_time < clock_timestamp() - interval '${HEARTBEAT_AGE_MAX}' as late`,
    [cursor, toTime(asOf), opened.database, toTime(opened.signet)],
  );
  if (rows.length === 0) throw lostRow(state);
  return rows[0]?.late === true;
}

/**
 * Deletes what no token can outlive, by the clocks of Signet and of the database: of processes of
 * Signet one may be ahead, and what another one has revoked must not go with it.
 */
export async function deleteExpired(
  db: MirrorConnection,
  { revocations }: RevocationNames,
  asOf: Timestamp,
): Promise<void> {
  await writing(db, async () => {
    await db.query(`delete from ${revocations} where expire_time < least($1, clock_timestamp())`, [
      toTime(asOf),
    ]);
  });
}

/** Opening a stream may take half of it. */
const HEARTBEAT_AGE_MAX = "30 seconds";

/** Lets the guard pass what `run` writes. */
async function writing(db: MirrorConnection, run: () => Promise<void>): Promise<void> {
  await inTransaction(db, async () => {
    await db.query(`select set_config('${WRITER_SETTING}', 'on', true)`);
    await run();
  });
}

function lostRow(state: string): MirrorError {
  return new MirrorError(`${state} has lost its row: drop the table, and it is made anew`);
}

/** Undefined for what a newer Signet may tell of. */
function toRow(siteId: string, { subject, revokeTime, expireTime }: Revocation) {
  const row = { site_id: siteId, revoke_time: toTime(revokeTime), expire_time: toTime(expireTime) };
  switch (subject.case) {
    case "sessionEnded":
      return { ...row, kind: "session_ended", subject_id: subject.value.sessionId, generation: 0 };
    case "generationRaised": {
      const { userId, generation } = subject.value;
      return {
        ...row,
        kind: "generation_raised",
        subject_id: userId,
        generation: generation.toString(),
      };
    }
    case "signingKeyWithdrawn": {
      const { keyId } = subject.value;
      return { ...row, kind: "signing_key_withdrawn", subject_id: keyId, generation: 0 };
    }
    case "apiKeyWithdrawn": {
      const { apiKeyId } = subject.value;
      return { ...row, kind: "api_key_withdrawn", subject_id: apiKeyId, generation: 0 };
    }
    case "siteClosed":
      return { ...row, kind: "site_closed", subject_id: siteId, generation: 0 };
    case undefined:
      return undefined;
  }
}

/** Microseconds, which are what PostgreSQL keeps, are lost in a Date. */
function toTime(time: Timestamp | undefined): string | undefined {
  return time ? toJson(TimestampSchema, time) : undefined;
}
