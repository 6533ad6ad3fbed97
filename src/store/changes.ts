import type { Notice, SiteHead, SiteSums, UserChange, UserChangeKind } from "../model/change.ts";
import { idFromBytes, idToBytes, type SiteId, type UserId } from "../model/id.ts";
import { enqueue, fragment, hot, indexed, type Queryable, sql } from "./sql.ts";

/** The channel on which processes wake each other's readers after a commit. */
export const CHANGE_CHANNEL = "signet_changes";

/** What goes into the outbox with a change of a User. */
export interface UserChangeRecord {
  readonly kind: UserChangeKind;
  readonly furtherKinds: readonly UserChangeKind[];
  /** The published state, encoded by `rpc/`; opaque here. */
  readonly body: Uint8Array;
  readonly bulk: boolean;
}

/** A row of the log: a change of a User, or a notice to processes and verifiers. */
export type LogRow =
  | ({ readonly type: "user_change"; readonly pos: number } & UserChange)
  | {
      readonly type: "notice";
      readonly pos: number;
      readonly siteId: SiteId;
      readonly commitTime: Date;
      readonly notice: Notice;
    };

/** What one step of the reader finds. */
export interface LogStep {
  /** Changes numbered by this step; -1 while another process numbers them. */
  readonly sequenced: number;
  readonly epoch: number;
  /** The last position of the log over all Sites. */
  readonly head: number;
  readonly rows: readonly LogRow[];
}

interface StepRow {
  readonly sequenced: number;
  readonly epoch: number;
  readonly head: number;
  readonly pos: number | null;
}

interface ChangeRow {
  readonly pos: number;
  readonly site_id: SiteId;
  readonly position: number | null;
  readonly kind: UserChangeKind | Notice["kind"];
  readonly further_kinds: UserChangeKind[];
  readonly user_id: UserId | null;
  readonly version: number | null;
  readonly subject_id: string | null;
  readonly generation: number | null;
  readonly expire_time: Date | null;
  readonly body: Buffer | null;
  readonly bulk: boolean;
  readonly commit_time: Date;
  readonly users: number | null;
  readonly xor: string | null;
}

const COLUMNS = fragment`
  pos, site_id, position, kind, further_kinds, user_id, version, subject_id, generation,
  expire_time, body, bulk, commit_time, users, xor::text as xor`;

/** Sequences what has become visible and returns at most `limit` rows after `after`. */
export async function followChanges(db: Queryable, after: number, limit: number): Promise<LogStep> {
  return toStep(await db.query<StepRow & ChangeRow>(followStatement(after, limit)));
}

/**
 * Does the same with a statement that is prepared once; `reader` is one connection that leads
 * to PostgreSQL itself, since a pooler may know nothing of prepared statements.
 */
export async function followPrepared(
  reader: Queryable,
  after: number,
  limit: number,
): Promise<LogStep> {
  const statement = { name: "follow_changes", ...followStatement(after, limit) };
  return toStep(await reader.query<StepRow & ChangeRow>(statement));
}

/**
 * Numbers the changes of the transaction as its last statement but the commit, and returns what has
 * come into the log; undefined if that is left to a step.
 */
export async function numberOwnChanges(transaction: Queryable): Promise<LogStep | undefined> {
  const { rows } = await transaction.query<StepRow & ChangeRow>(hot`
    select sequenced, epoch, head, ${COLUMNS} from signet.sequence_own_changes()`);
  return rows.length === 0 ? undefined : toStep({ rows });
}

function followStatement(after: number, limit: number) {
  return sql`
    select sequenced, epoch, head, ${COLUMNS} from signet.follow_changes(${after}, ${limit})`;
}

function toStep({ rows }: { readonly rows: readonly (StepRow & ChangeRow)[] }): LogStep {
  const [first] = rows;
  if (!first) throw new Error("follow_changes returned no row");
  const { sequenced, epoch, head } = first;
  return {
    sequenced,
    epoch,
    head,
    rows: rows.filter((row) => row.pos !== null).map(toLogRow),
  };
}

/** Deletes what the sequencer has numbered and will never look at again. */
export async function trimOutbox(db: Queryable): Promise<void> {
  await db.query(sql`select signet.trim_change_outbox()`);
}

/** The most that one step numbers, as `signet.sequence_changes` has it. */
export const SEQUENCED_ROWS_MAX = 10_000;

/**
 * Numbers what has become visible, so that a head that is read next includes it; false if there
 * is more, or while another process does it, whose look at the outbox may have been too early.
 */
export async function sequenceChanges(db: Queryable): Promise<boolean> {
  const { sequenced } = await followChanges(db, Number.MAX_SAFE_INTEGER, 1);
  return sequenced >= 0 && sequenced < SEQUENCED_ROWS_MAX;
}

/** Returns where the Site's log stands. */
export async function findSiteHead(db: Queryable, siteId: SiteId): Promise<SiteHead> {
  const { rows } = await db.query<{
    epoch: number;
    position: number;
    users: number;
    xor: string;
    oldest: number | null;
  }>(sql`
    select s.epoch, coalesce(h.position, 0) as position,
           coalesce(h.users, 0) as users, coalesce(h.xor, 0)::text as xor,
           (select min(c.position) from signet.changes c
             where c.site_id = ${siteId} and c.position is not null) as oldest
      from signet.change_state s
      left join signet.site_heads h on h.site_id = ${siteId}`);
  const { epoch = 1, position = 0, users = 0, xor = "0", oldest = null } = rows[0] ?? {};
  return { epoch, position, sums: toSums(users, xor), oldestPosition: oldest ?? position + 1 };
}

/** Returns the Site's changes of Users after `after`, in order, at most `limit`. */
export async function listUserChanges(
  db: Queryable,
  siteId: SiteId,
  page: { readonly after: number; readonly limit: number },
): Promise<UserChange[]> {
  const { rows } = await db.query<ChangeRow>(indexed`
    select ${COLUMNS} from signet.changes
     where site_id = ${siteId} and position > ${page.after}
     order by position
     limit ${page.limit}`);
  return rows.map(toLogRow).filter((row) => row.type === "user_change");
}

/** Returns those of the Site's changes at the given positions that are kept. */
export async function findUserChanges(
  db: Queryable,
  siteId: SiteId,
  positions: readonly number[],
): Promise<UserChange[]> {
  const { rows } = await db.query<ChangeRow>(indexed`
    select c.*
      from (select distinct unnest(${positions}::bigint[]) as wanted order by wanted) given
     cross join lateral (
       select ${COLUMNS} from signet.changes
        where site_id = ${siteId} and position = wanted limit 1) c
     order by wanted`);
  return rows.map(toLogRow).filter((row) => row.type === "user_change");
}

/** Puts a notice into the outbox: something other than a User has changed or ended. */
export async function appendNotice(
  db: Queryable,
  siteId: SiteId,
  notice: Notice,
  now: Date,
): Promise<void> {
  const statement = hot`
    insert into signet.change_outbox
           (site_id, kind, subject_id, generation, expire_time, body, commit_time)
    values (${siteId}, ${notice.kind}, ${notice.subjectId},
            ${"generation" in notice ? notice.generation : null},
            ${"expireTime" in notice ? notice.expireTime : null}, ${bodyOf(notice)}, ${now})`;
  await enqueue(db, statement);
}

/** A row with a `user_id` would take a position, so the User of an ended Session stands here. */
function bodyOf(notice: Notice): Buffer | undefined {
  return notice.kind === "session_ended" && notice.userId ? idToBytes(notice.userId) : undefined;
}

function toLogRow(row: ChangeRow): LogRow {
  const { pos, site_id: siteId, commit_time: commitTime } = row;
  if (row.user_id === null || row.version === null || row.position === null) {
    return { type: "notice", pos, siteId, commitTime, notice: toNotice(row) };
  }
  return {
    type: "user_change",
    pos,
    siteId,
    position: row.position,
    kind: row.kind as UserChangeKind, // Rows with a User hold these kinds alone.
    furtherKinds: row.further_kinds,
    userId: row.user_id,
    version: row.version,
    body: row.body ?? undefined,
    bulk: row.bulk,
    commitTime,
    sums: row.users === null || row.xor === null ? undefined : toSums(row.users, row.xor),
  };
}

/** Reads sums: PostgreSQL has no unsigned numbers, and the xor fills all 64 bits, so it is text. */
export function toSums(users: number, xor: string): SiteSums {
  return { users, xor: BigInt.asUintN(64, BigInt(xor)) };
}

function toNotice(row: ChangeRow): Notice {
  return {
    kind: row.kind,
    subjectId: row.subject_id,
    generation: row.generation ?? 0,
    expireTime: row.expire_time ?? new Date(0),
    ...(row.kind === "session_ended" && { userId: row.body ? idFromBytes(row.body) : undefined }),
  } as Notice; // Written by appendNotice alone.
}
