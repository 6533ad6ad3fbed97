import { randomUUID } from "node:crypto";
import type { SignetClient } from "../client/index.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { type LinkDatabase, withLinkDatabase } from "./link-database.ts";
import { newUserIdOf } from "./link-ids.ts";
import type { LinkJudge } from "./link-judge.ts";
import { findRun, type LinkLog, type LinkRun, readLinkLog } from "./link-log.ts";
import { findMirror, type LinkMirror } from "./link-mirror.ts";
import { type CompleteMapping, type LinkOptions, readMapping } from "./link-options.ts";
import { findDuplicates } from "./link-rows.ts";
import { inspectTable, type LinkTable } from "./link-table.ts";

/** All that a link command works with. */
export interface LinkSession {
  readonly client: SignetClient;
  readonly db: LinkDatabase;
  readonly mapping: CompleteMapping;
  readonly table: LinkTable;
  readonly mirror: LinkMirror | undefined;
  readonly siteId: string;
  readonly log: LinkLog;
  /** The run that was not rolled back; undefined: there is none. */
  readonly run: LinkRun | undefined;
}

/**
 * Reaches the app's database and Signet, and looks at what is there.
 *
 * @throws {UsageError} where something does not fit; nothing was done then.
 */
export async function withLinkSession<T>(
  context: Context,
  options: LinkOptions,
  access: { readonly readOnly: boolean },
  work: (session: LinkSession) => Promise<T>,
): Promise<T> {
  const mapping = readMapping(options);
  return await withClient(context, (client) =>
    withLinkDatabase(options.to, access, async (db) => {
      const table = await inspectTable(db, mapping);
      const { site } = await client.sites.getSite(options.site ? { siteId: options.site } : {});
      const siteId = site?.id ?? "";
      const log = readLinkLog(mapping);
      const run = await findRun(db, log, table, siteId);
      const mirror = await findMirror(db, mapping, siteId);
      return await work({ client, db, mapping, table, mirror, siteId, log, run });
    }),
  );
}

/** Prepares what rows are judged by. Where there is no run the ids are those of none. */
export async function openJudge(session: LinkSession): Promise<LinkJudge> {
  const { client, db, mapping, table, siteId } = session;
  const run = session.run ?? { runId: randomUUID(), startTime: new Date() };
  return {
    client,
    target: { siteId, source: mapping.source },
    externalIdPrefix: mapping.externalIdPrefix,
    unreadableHashes: mapping.unreadableHashes,
    duplicates: await findDuplicates(db, table),
    newUserId: (rowId) => newUserIdOf(run, rowId),
  };
}
