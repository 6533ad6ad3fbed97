import type { SiteSums } from "../model/change.ts";
import type { ApiKeyId, MirrorId, SiteId } from "../model/id.ts";
import type { Mirror, MirrorReport, MirrorState, Reconcile } from "../model/mirror.ts";
import { toSums } from "./changes.ts";
import { fragment, type Queryable, sql } from "./sql.ts";

/** A report, and what the service adds to it. */
export interface MirrorRecord extends MirrorReport {
  readonly apiKeyId: ApiKeyId | undefined;
  readonly reportTime: Date;
  readonly reportHead: number;
}

interface MirrorRow {
  readonly site_id: SiteId;
  readonly id: MirrorId;
  readonly name: string;
  readonly state: MirrorState;
  readonly epoch: number;
  readonly position: number;
  readonly users: number | null;
  readonly xor: string | null;
  readonly checkpoint_users: number | null;
  readonly checkpoint_xor: string | null;
  readonly reconcile_time: Date | null;
  readonly reconcile_position: number;
  readonly missing_count: number;
  readonly stale_count: number;
  readonly extra_count: number;
  readonly altered_count: number;
  readonly repaired_count: number;
  readonly foreign_writes: number;
  readonly foreign_write_time: Date | null;
  readonly software: string;
  readonly api_key_id: ApiKeyId | null;
  readonly report_head: number;
  readonly create_time: Date;
  readonly report_time: Date;
  readonly head_epoch: number;
  readonly head_position: number;
  readonly first_lacked_time: Date | null;
}

/** All of a Mirror `m`, with where the Site's log stands in the same instant. */
const COLUMNS = fragment`
  m.site_id, m.id, m.name, m.state, m.epoch, m.position, m.users, m.xor::text as xor,
  m.checkpoint_users, m.checkpoint_xor::text as checkpoint_xor, m.reconcile_time,
  m.reconcile_position, m.missing_count, m.stale_count, m.extra_count, m.altered_count,
  m.repaired_count, m.foreign_writes, m.foreign_write_time, m.software, m.api_key_id,
  m.report_head, m.create_time, m.report_time,
  (select s.epoch from signet.change_state s) as head_epoch,
  coalesce((select h.position from signet.site_heads h where h.site_id = m.site_id), 0)
    as head_position,
  (select c.commit_time from signet.changes c
    where c.site_id = m.site_id and c.position > m.position
    order by c.position limit 1) as first_lacked_time`;

/** Locks a Mirror's row, so that it stays to the end of the transaction; false: there is none. */
export async function lockMirror(db: Queryable, siteId: SiteId, id: MirrorId): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    select from signet.mirrors where site_id = ${siteId} and id = ${id} for update`);
  return rowCount === 1;
}

/**
 * Counts the Mirrors of the Site but one, and keeps others from registering one until the end of
 * the transaction.
 */
export async function countOtherMirrors(
  db: Queryable,
  siteId: SiteId,
  id: MirrorId,
): Promise<number> {
  // Weak enough to let others insert what refers to the Site.
  await db.query(sql`select from signet.sites where id = ${siteId} for no key update`);
  const { rows } = await db.query<{ count: number }>(sql`
    select count(*) from signet.mirrors where site_id = ${siteId} and id <> ${id}`);
  return rows[0]?.count ?? 0;
}

/** Inserts a Mirror, or replaces what it has told of itself before. */
export async function upsertMirror(
  db: Queryable,
  siteId: SiteId,
  { sums, checkpointSums, lastReconcile: reconcile, ...record }: MirrorRecord,
): Promise<void> {
  const foreignWriteTime = record.foreignWrites > 0 ? record.reportTime : null;
  await db.query(sql`
    insert into signet.mirrors as m
           (site_id, id, name, state, epoch, position, users, xor, checkpoint_users,
            checkpoint_xor, reconcile_time, reconcile_position, missing_count, stale_count,
            extra_count, altered_count, repaired_count, foreign_writes, foreign_write_time,
            software, api_key_id, report_head, create_time, report_time)
    values (${siteId}, ${record.id}, ${record.name}, ${record.state}, ${record.epoch},
            ${record.position}, ${sums?.users}, ${signedXor(sums)}, ${checkpointSums?.users},
            ${signedXor(checkpointSums)}, ${reconcile?.finishTime}, ${reconcile?.position},
            ${reconcile?.missingCount}, ${reconcile?.staleCount}, ${reconcile?.extraCount},
            ${reconcile?.alteredCount}, ${reconcile?.repairedCount}, ${record.foreignWrites},
            ${foreignWriteTime}, ${record.software}, ${record.apiKeyId}, ${record.reportHead},
            ${record.reportTime}, ${record.reportTime})
        on conflict (site_id, id) do update
       set (name, state, epoch, position, users, xor, checkpoint_users, checkpoint_xor,
            reconcile_time, reconcile_position, missing_count, stale_count, extra_count,
            altered_count, repaired_count, foreign_writes, software, api_key_id, report_head,
            report_time) =
           (excluded.name, excluded.state, excluded.epoch, excluded.position, excluded.users,
            excluded.xor, excluded.checkpoint_users, excluded.checkpoint_xor,
            excluded.reconcile_time, excluded.reconcile_position, excluded.missing_count,
            excluded.stale_count, excluded.extra_count, excluded.altered_count,
            excluded.repaired_count, excluded.foreign_writes, excluded.software,
            excluded.api_key_id, excluded.report_head, excluded.report_time),
           foreign_write_time =
             case when excluded.foreign_writes > m.foreign_writes
                  then excluded.foreign_write_time else m.foreign_write_time end`);
}

/** Finds a Mirror. */
export async function findMirror(
  db: Queryable,
  siteId: SiteId,
  id: MirrorId,
): Promise<Mirror | undefined> {
  const { rows } = await db.query<MirrorRow>(sql`
    select ${COLUMNS} from signet.mirrors m where m.site_id = ${siteId} and m.id = ${id}`);
  return rows[0] && toMirror(rows[0]);
}

/** Lists at most `limit` Mirrors of the Site in id order, starting after `after`. */
export async function listMirrors(
  db: Queryable,
  siteId: SiteId,
  page: { readonly after: MirrorId | undefined; readonly limit: number },
): Promise<Mirror[]> {
  const { rows } = await db.query<MirrorRow>(sql`
    select ${COLUMNS} from signet.mirrors m
     where m.site_id = ${siteId}
       and (${page.after ?? null}::uuid is null or m.id > ${page.after ?? null})
     order by m.id
     limit ${page.limit}`);
  return rows.map(toMirror);
}

/** Deletes a Mirror. Returns false if there is none. */
export async function deleteMirror(db: Queryable, siteId: SiteId, id: MirrorId): Promise<boolean> {
  const { rowCount } = await db.query(sql`
    delete from signet.mirrors where site_id = ${siteId} and id = ${id}`);
  return rowCount === 1;
}

/** PostgreSQL has no unsigned numbers: the 64 bits are kept in a signed one. */
function signedXor(sums: SiteSums | undefined): string | undefined {
  return sums && BigInt.asIntN(64, sums.xor).toString();
}

function toMirror(row: MirrorRow): Mirror {
  return {
    siteId: row.site_id,
    id: row.id,
    name: row.name,
    state: row.state,
    epoch: row.epoch,
    position: row.position,
    sums: toOptionalSums(row.users, row.xor),
    checkpointSums: toOptionalSums(row.checkpoint_users, row.checkpoint_xor),
    lastReconcile: toReconcile(row),
    foreignWrites: row.foreign_writes,
    foreignWriteTime: row.foreign_write_time ?? undefined,
    software: row.software,
    apiKeyId: row.api_key_id ?? undefined,
    reportHead: row.report_head,
    createTime: row.create_time,
    reportTime: row.report_time,
    head: { epoch: row.head_epoch, position: row.head_position },
    firstLackedTime: row.first_lacked_time ?? undefined,
  };
}

function toOptionalSums(users: number | null, xor: string | null): SiteSums | undefined {
  return users === null || xor === null ? undefined : toSums(users, xor);
}

/** All its columns are null, or none is; the time stands for all. */
function toReconcile(row: MirrorRow): Reconcile | undefined {
  if (!row.reconcile_time) return undefined;
  return {
    finishTime: row.reconcile_time,
    position: row.reconcile_position,
    missingCount: row.missing_count,
    staleCount: row.stale_count,
    extraCount: row.extra_count,
    alteredCount: row.altered_count,
    repairedCount: row.repaired_count,
  };
}

/** Forgets every Mirror of a Site. */
export async function deleteMirrors(db: Queryable, siteId: SiteId): Promise<void> {
  await db.query(sql`delete from signet.mirrors where site_id = ${siteId}`);
}
