import type { User } from "../../gen/signet/v1/user_pb.ts";
import { arrayLiteral, MIRROR_COLUMNS, USER_COLUMNS, type UserColumn } from "./mirror-columns.ts";
import { contentHash } from "./mirror-content.ts";
import type { MirrorNames } from "./mirror-names.ts";
import type { Removal } from "./mirror-removal.ts";
import { isTombstone } from "./mirror-step.ts";
import type { IdRange, RowOrigin, RowVersion, WriteResult } from "./mirror-storage.ts";
import { addSums, type MirrorSums, NO_SUMS, sumsFrom } from "./mirror-sums.ts";
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
  /** By how much the sums have moved. */
  readonly moved: MirrorSums;
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
  const [kept, dead] = [users.filter(isKept), users.filter((user) => !isKept(user))];
  const buried = dead.length > 0 ? await buryUsers(db, names, dead, origin) : NOBODY_BURIED;
  if (kept.length === 0) return { ...buried, written: 0, created: 0, createdUsers: [] };
  const text = upsertText(names, takesOtherScope);
  const { rows } = await db.query(text, incomingValues(kept, origin));
  const [row] = rows;
  const createdIds = new Set(JSON.parse(String(row?.created_ids ?? "[]")));
  const createdUsers = kept.filter((user) => createdIds.has(user.id));
  return {
    written: Number(row?.written ?? 0),
    created: createdUsers.length,
    removed: buried.removed + Number(row?.marked ?? 0),
    createdUsers,
    moved: addSums(buried.moved, sumsFrom(row?.count, row?.xor)),
  };
}

const NOBODY_BURIED: Removal = { removed: 0, moved: NO_SUMS };

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

const NAMES = Object.keys(MIRROR_COLUMNS);
const USER_NAMES = Object.keys(USER_COLUMNS) as UserColumn[];

const TIME = "timestamp with time zone";

/** An array for each column is read in two thirds of the time that a list of JSON takes. */
const INCOMING = `(
  select ${USER_NAMES.map(typed).join(", ")},
         $${USER_NAMES.length + 1}::integer as mirror_epoch,
         $${USER_NAMES.length + 2}::text as mirror_scope
    from unnest(${USER_NAMES.map((name, n) => `$${n + 1}::${elementType(name)}[]`).join(", ")})
      as given (${USER_NAMES.join(", ")})) as incoming`;

function typed(name: UserColumn): string {
  const type = MIRROR_COLUMNS[name];
  if (type === TIME) return `'epoch'::${TIME} + ${name} * interval '1 microsecond' as ${name}`;
  return elementType(name) === type ? name : `${name}::${type}`;
}

/** An array cannot have arrays of different lengths as elements: they come as text. */
function elementType(name: UserColumn): string {
  const type = MIRROR_COLUMNS[name];
  if (type === TIME) return "bigint";
  return type === "text[]" ? "text" : type;
}

function incomingValues(users: readonly User[], { epoch, scope }: RowOrigin): unknown[] {
  return [...USER_NAMES.map((name) => columnLiteral(users, USER_COLUMNS[name])), epoch, scope];
}

/** Nothing but nulls is the empty array: `unnest` fills up with them. */
function columnLiteral(users: readonly User[], textOf: (user: User) => string | undefined): string {
  const texts = users.map(textOf);
  return arrayLiteral(texts.some((text) => text !== undefined) ? texts : []);
}

function upsertText({ users, tombstones }: MirrorNames, takesOtherScope: boolean): string {
  const columns = [...NAMES, "mirror_content"];
  const assignments = columns.map((name) => `${name} = excluded.${name}`).join(", ");
  const otherwiseRead = `or ((excluded.mirror_epoch, excluded.version)
                             = (present.mirror_epoch, present.version)
                             and excluded.mirror_scope <> present.mirror_scope)`;
  return `with incoming as (
      select incoming.*, ${contentHash((name) => name)} as mirror_content
        from ${INCOMING}
       where not exists (
               select from ${tombstones} as buried
                where buried.id = incoming.id
                  and (buried.epoch, buried.version) >= (incoming.mirror_epoch, incoming.version))),
    old as (
      select id, mirror_digest from ${users}
       where not deleted and id in (select id from incoming)),
    put as (
      insert into ${users} as present (${columns.join(", ")})
      select ${columns.join(", ")} from incoming
      on conflict (id) do update set ${assignments}
       where (excluded.mirror_epoch, excluded.version) > (present.mirror_epoch, present.version)
             ${takesOtherScope ? otherwiseRead : ""}
      returning id, deleted, mirror_digest, xmax = 0 as created)
    select count(*) filter (where not deleted)::integer as written,
           count(*) filter (where deleted)::integer as marked,
           (json_agg(id) filter (where created and not deleted))::text as created_ids,
           (count(*) filter (where not deleted) - count(old.id))::text as count,
           bit_xor(case when deleted then 0 else put.mirror_digest end
                   # coalesce(old.mirror_digest, 0))::text as xor
      from put left join old using (id)`;
}

/** Deletes rows, and keeps their versions so that nothing older brings them back. */
async function buryUsers(
  db: MirrorConnection,
  { users, tombstones }: MirrorNames,
  dead: readonly User[],
  { epoch }: RowOrigin,
): Promise<Removal> {
  const { rows } = await db.query(
    `with incoming as (
            select id, version, $3::integer as mirror_epoch
              from unnest($1::uuid[], $2::bigint[]) as given (id, version)),
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
            returning present.deleted, present.mirror_digest)
     select count(*)::integer as removed,
            (-count(*) filter (where not deleted))::text as count,
            bit_xor(mirror_digest) filter (where not deleted)::text as xor
       from removed`,
    [arrayLiteral(dead.map(USER_COLUMNS.id)), arrayLiteral(dead.map(USER_COLUMNS.version)), epoch],
  );
  const [row] = rows;
  return { removed: Number(row?.removed ?? 0), moved: sumsFrom(row?.count, row?.xor) };
}
