import { fromBinary } from "@bufbuild/protobuf";
import { Client } from "pg";
import { UserSchema } from "../../gen/signet/v1/user_pb.ts";
import { createHistoryChecker, type LoggedChange, type Verdict } from "./history-checker.ts";
import type { Entry } from "./operation-log.ts";
import type { MirrorRow } from "./restless-mirror.ts";

/** What a Site has, as the tables say after a run. */
export interface LogAudit extends Verdict {
  /** Every User and tombstone. */
  readonly rows: ReadonlyMap<string, MirrorRow>;
  /** The last position of the log. */
  readonly end: number;
}

const PAGE = 10_000;

/**
 * Reads the whole log of a Site: its positions are dense, so are the versions of each User, the
 * last of each is the row of the table, and it holds what the clients of the history were told.
 */
export async function auditLog(
  adminUrl: string,
  siteId: string,
  history: readonly Entry[] = [],
): Promise<LogAudit> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const checker = createHistoryChecker(history);
    let end = 0;
    for await (const change of readLog(client, siteId)) {
      checker.take(change);
      end = change.position;
    }
    const rows = await readRows(client, siteId);
    return { rows, end, ...checker.finish(rows) };
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

async function* readLog(client: Client, siteId: string): AsyncGenerator<LoggedChange> {
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
