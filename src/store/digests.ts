import type { SiteId, UserId } from "../model/id.ts";
import type { LeafRow } from "../model/leaf-sums.ts";
import { indexed, type Queryable } from "./sql.ts";

/** A part of a Site's Users, as far as digests go. */
export interface DigestChunk {
  /** The last User or tombstone of the chunk; absent: there is none. */
  readonly last: UserId | undefined;
  /** Of each User, tombstones left out: 4 bytes of leaf and 8 of digest, big-endian. */
  readonly packed: Uint8Array;
}

/** Where to read on in a list of leaves: after a User of the first one. */
export interface LeafPage {
  readonly leaves: readonly number[];
  /** A User of the first leaf; absent: from its start. */
  readonly after: UserId | undefined;
  readonly limit: number;
}

const LOWEST_ID = "00000000-0000-0000-0000-000000000000";

/**
 * Reads the digests of at most `limit` Users and tombstones after `after`, in id order.
 *
 * They come as one value: as rows, most of the time would go into taking them apart. Each digest
 * is that of `signet.user_digest` without its way to a number and back, a quarter of the time.
 */
export async function readDigests(
  db: Queryable,
  siteId: SiteId,
  { after = LOWEST_ID as UserId, limit }: { readonly after?: UserId; readonly limit: number },
): Promise<DigestChunk> {
  const { rows } = await db.query<{ last: UserId | null; packed: Buffer | null }>(indexed`
    select max(u.id::text collate "C")::uuid as last,
           string_agg(int4send(u.leaf)
                        || substr(sha256(uuid_send(u.id) || int8send(u.version)), 1, 8), '')
             filter (where u.state <> 'deleted') as packed
      from (select id, version, leaf, state
              from signet.users
             where site_id = ${siteId} and id > ${after}
             order by id
             limit ${limit}) u`);
  const [chunk] = rows;
  return { last: chunk?.last ?? undefined, packed: chunk?.packed ?? new Uint8Array() };
}

/**
 * Lists the Users of some leaves in the order of the leaves, and by id within each.
 *
 * The limit is applied to each leaf as well: whoever chooses ids can crowd one.
 */
export async function listLeafRows(
  db: Queryable,
  siteId: SiteId,
  { leaves, after, limit }: LeafPage,
): Promise<LeafRow[]> {
  const { rows } = await db.query<LeafRow>(indexed`
    select wanted.leaf, r.id, r.version
      from unnest(${leaves}::integer[]) with ordinality as wanted (leaf, ordinal)
     cross join lateral (
       select u.id, u.version
         from signet.users u
        where u.site_id = ${siteId}
          and u.leaf = wanted.leaf
          and u.id > case when wanted.ordinal = 1 then ${after ?? LOWEST_ID}::uuid
                          else ${LOWEST_ID}::uuid end
          and u.state <> 'deleted'
        order by u.id
        limit ${limit}) r
     order by wanted.ordinal, r.id
     limit ${limit}`);
  return rows;
}
