import type { User } from "../../gen/signet/v1/user_pb.ts";
import { MIRROR_COLUMNS, toRow } from "./mirror-columns.ts";
import type { MirrorNames } from "./mirror-names.ts";
import { isTombstone } from "./mirror-step.ts";
import type { IdRange, MirrorWrite, RowOrigin, RowVersion, WriteResult } from "./mirror-storage.ts";
import type { MirrorConnection } from "./postgres-connection.ts";

/** How a User's row is written. */
export interface PutRules {
  readonly tombstones: "keep" | "delete";
  /** Whether the same version under another scope is taken, too. */
  readonly takesOtherScope: boolean;
}

/** What was written, and the Users whose rows are new. */
export interface PutResult extends WriteResult {
  readonly createdUsers: readonly User[];
}

/**
 * Writes Users where they are newer than their rows, in as few statements as there are kinds of
 * rows. The transaction holds the state row, so that no other one writes beside it.
 */
export async function putUsers(
  db: MirrorConnection,
  names: MirrorNames,
  users: readonly User[],
  origin: RowOrigin,
  { tombstones, takesOtherScope }: PutRules,
): Promise<PutResult> {
  const isKept = (user: User) => tombstones === "keep" || !isTombstone(user);
  const toJson = (list: readonly User[]) => JSON.stringify(list.map((user) => toRow(user, origin)));
  const [kept, dead] = [users.filter(isKept), users.filter((user) => !isKept(user))];
  const removed = dead.length > 0 ? await buryUsers(db, names, toJson(dead)) : 0;
  if (kept.length === 0) return { written: 0, created: 0, removed, createdUsers: [] };
  const { rows } = await db.query(upsertText(names, takesOtherScope), [toJson(kept)]);
  const createdIds = new Set(rows.filter(({ created }) => created).map(({ id }) => id));
  const createdUsers = kept.filter((user) => createdIds.has(user.id) && !isTombstone(user));
  const marked = rows.filter(({ deleted }) => deleted).length;
  return {
    written: rows.length - marked,
    created: createdUsers.length,
    removed: removed + marked,
    createdUsers,
  };
}

/** Removes rows that still have the version at which they were found to be gone. */
export async function removeRows(
  db: MirrorConnection,
  { users }: MirrorNames,
  { gone, everyone }: MirrorWrite,
  tombstones: "keep" | "delete",
): Promise<number> {
  if (gone.length === 0 && !everyone) return 0;
  const condition = everyone
    ? "($1::json is not null and not deleted)"
    : `(id, version) in (select id, version
                           from json_to_recordset($1::json) as gone (id uuid, version bigint))`;
  const list = gone.map(({ id, version }) => ({ id, version: version.toString() }));
  const action = tombstones === "keep" ? `update ${users} set ${ERASURE}` : `delete from ${users}`;
  const { rows } = await db.query(
    `with removed as (${action} where ${condition} returning id)
     select count(*)::integer as count from removed`,
    [JSON.stringify(list)],
  );
  return Number(rows[0]?.count ?? 0);
}

/** Lists rows that are no tombstones. */
export async function listRows(
  db: MirrorConnection,
  { users }: MirrorNames,
  { after, upTo }: IdRange,
  except: readonly string[],
  limit: number,
): Promise<RowVersion[]> {
  const { rows } = await db.query(
    `select id::text, mirror_epoch as epoch, version::text
       from ${users}
      where id > $1::uuid and id <= $2::uuid and not deleted
        and id not in (select value::uuid from json_array_elements_text($3::json))
      order by ${users}.id
      limit $4`,
    [after || FIRST_ID, upTo || LAST_ID, JSON.stringify(except), limit],
  );
  return rows.map(({ id, epoch, version }) => ({
    id: String(id),
    epoch: Number(epoch),
    version: BigInt(String(version)),
  }));
}

/** The version of a row, or of a tombstone that stands for it. */
export async function findVersion(
  db: MirrorConnection,
  { users, tombstones }: MirrorNames,
  userId: string,
): Promise<bigint | undefined> {
  const { rows } = await db.query(
    `select max(version)::text as version
       from (select version from ${users} where id = $1
             union all
             select version from ${tombstones} where id = $1) as versions`,
    [userId],
  );
  const version = rows[0]?.version;
  return typeof version === "string" ? BigInt(version) : undefined;
}

const FIRST_ID = "00000000-0000-0000-0000-000000000000";
const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

const ERASED = Object.entries(MIRROR_COLUMNS)
  .map(([name]) => name)
  .filter((name) => !/^(id|site_id|version|create_time|mirror_.*)$/.test(name));

/** What a tombstone that nobody has sent looks like. */
const ERASURE = ERASED.map((name) => `${name} = ${erasedValue(name)}`).join(", ");

function erasedValue(name: string): string {
  if (name === "deleted") return "true";
  if (name === "state") return "'deleted'";
  if (name === "roles") return "'{}'";
  if (name === "delete_time" || name === "update_time") return "now()";
  return /^(email_verified|mfa_enabled|deletion_protected)$/.test(name) ? "false" : "null";
}

const NAMES = Object.keys(MIRROR_COLUMNS);
const INCOMING = `json_to_recordset($1::json) as incoming (${Object.entries(MIRROR_COLUMNS)
  .map(([name, type]) => `${name} ${type}`)
  .join(", ")})`;

function upsertText({ users, tombstones }: MirrorNames, takesOtherScope: boolean): string {
  const assignments = NAMES.map((name) => `${name} = excluded.${name}`).join(", ");
  const otherwiseRead = `or ((excluded.mirror_epoch, excluded.version)
                             = (present.mirror_epoch, present.version)
                             and excluded.mirror_scope <> present.mirror_scope)`;
  return `insert into ${users} as present (${NAMES.join(", ")})
    select ${NAMES.join(", ")}
      from ${INCOMING}
     where not exists (
             select from ${tombstones} as buried
              where buried.id = incoming.id
                and (buried.epoch, buried.version) >= (incoming.mirror_epoch, incoming.version))
    on conflict (id) do update set ${assignments}
     where (excluded.mirror_epoch, excluded.version) > (present.mirror_epoch, present.version)
           ${takesOtherScope ? otherwiseRead : ""}
    returning id::text, deleted, xmax = 0 as created`;
}

/** Deletes rows, and keeps their versions so that nothing older brings them back. */
async function buryUsers(
  db: MirrorConnection,
  { users, tombstones }: MirrorNames,
  dead: string,
): Promise<number> {
  const { rows } = await db.query(
    `with incoming as (select id, mirror_epoch, version from ${INCOMING}),
          buried as (
            insert into ${tombstones} as present (id, epoch, version)
            select id, mirror_epoch, version from incoming
            on conflict (id) do update set epoch = excluded.epoch, version = excluded.version
             where (excluded.epoch, excluded.version) > (present.epoch, present.version)),
          removed as (
            delete from ${users} as present using incoming
             where present.id = incoming.id
               and (present.mirror_epoch, present.version)
                   <= (incoming.mirror_epoch, incoming.version)
            returning present.id)
     select count(*)::integer as count from removed`,
    [dead],
  );
  return Number(rows[0]?.count ?? 0);
}
