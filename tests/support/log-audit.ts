import { fromBinary } from "@bufbuild/protobuf";
import { Client } from "pg";
import { UserSchema } from "../../gen/signet/v1/user_pb.ts";
import type { MirrorRow } from "./restless-mirror.ts";

/** What a Site has, as the tables say after a run. */
export interface LogAudit {
  /** Every User and tombstone. */
  readonly rows: ReadonlyMap<string, MirrorRow>;
  /** The last position of the log. */
  readonly end: number;
  /** What must be empty: what is wrong with the log, by itself and beside what was confirmed. */
  readonly faults: readonly string[];
}

/** What the service has told its writers. */
export interface Confirmed {
  readonly names: ReadonlyMap<string, ReadonlyMap<number, string>>;
  readonly deleted: ReadonlySet<string>;
}

const PAGE = 10_000;

/**
 * Reads the whole log of a Site: its positions are dense, so are the versions of each User, the
 * last of each is the row of the table, and each write that was confirmed is there as it was; of
 * a deleted User's writes all but the content is.
 */
export async function auditLog(
  adminUrl: string,
  siteId: string,
  { names, deleted }: Confirmed,
): Promise<LogAudit> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const rows = await readRows(client, siteId);
    const last = new Map<
      string,
      { readonly version: number; readonly displayName: string | undefined }
    >();
    const faults: string[] = [];
    let end = 0;
    let found = 0;
    for await (const { position, id, kind, version, displayName } of readLog(client, siteId)) {
      if (position !== end + 1) faults.push(`position ${position} follows ${end}`);
      end = position;
      const before = last.get(id)?.version;
      const isNext = before === undefined ? kind === "user_created" : version === before + 1;
      if (!isNext) faults.push(`${id}: ${kind} with version ${version} follows ${before}`);
      last.set(id, { version, displayName });
      const name = names.get(id)?.get(version);
      if (name === undefined) continue;
      found += 1;
      const isErased = displayName === undefined && rows.get(id)?.deleted === true;
      if (name !== displayName && !isErased) {
        faults.push(`version ${version} of ${id} was confirmed as ${name}`);
      }
    }
    const confirmed = [...names.values()].reduce((sum, { size }) => sum + size, 0);
    if (found !== confirmed) faults.push(`${confirmed - found} confirmed changes are lost`);
    for (const [id, { version, displayName }] of rows) {
      const logged = last.get(id);
      if (logged?.version !== version || logged.displayName !== displayName) {
        faults.push(`${id} is not as it was logged last`);
      }
    }
    if (last.size !== rows.size) faults.push(`${last.size} Users logged, ${rows.size} there`);
    for (const id of deleted) if (!rows.get(id)?.deleted) faults.push(`${id} is not deleted`);
    return { rows, end, faults };
  } finally {
    await client.end();
  }
}

async function readRows(client: Client, siteId: string): Promise<Map<string, MirrorRow>> {
  const { rows } = await client.query<{
    readonly id: string;
    readonly version: string;
    readonly deleted: boolean;
    readonly display_name: string;
  }>(
    `select id, version, state = 'deleted' as deleted, display_name
       from signet.users where site_id = $1`,
    [siteId],
  );
  return new Map(
    rows.map(({ id, version, deleted, display_name }) => [
      id,
      { version: Number(version), deleted, displayName: display_name },
    ]),
  );
}

async function* readLog(client: Client, siteId: string) {
  for (let after = 0; ; ) {
    const { rows } = await client.query<{
      readonly position: string;
      readonly user_id: string;
      readonly version: string;
      readonly kind: string;
      readonly body: Buffer | null;
    }>(
      `select position, kind, user_id, version, body from signet.changes
        where site_id = $1 and position > $2 order by position limit ${PAGE}`,
      [siteId, after],
    );
    for (const { position, kind, user_id: id, version, body } of rows) {
      const displayName = body ? fromBinary(UserSchema, body).displayName : undefined;
      yield { position: Number(position), kind, id, version: Number(version), displayName };
    }
    const lastRow = rows.at(-1);
    if (!lastRow || rows.length < PAGE) return;
    after = Number(lastRow.position);
  }
}
