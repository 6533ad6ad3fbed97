import { type AuditEventId, newId } from "../model/id.ts";
import type { ImportResult, ReadRow } from "../model/user-import.ts";
import { type Act, recordAct } from "./audit.ts";
import { type ImportWork, importBatches } from "./import-batches.ts";
import type { ImportJob } from "./import-job.ts";

/**
 * Imports batches, and tells the audit log of it: by an event at the beginning and one at the end,
 * and not by one for each row. A dry run writes nothing, and is not told of either.
 */
export async function* recordedBatches(
  work: ImportWork,
  batches: AsyncIterator<readonly ReadRow[]>,
): AsyncGenerator<readonly ImportResult[]> {
  const { options } = work.job;
  const { dryRun, mode, source } = options;
  const counts = { created: 0, updated: 0, unchanged: 0, refused: 0 };
  const tell = dryRun ? async () => undefined : createTeller(work.job);
  await tell({ kind: "site.import_started", details: { source, mode } });
  let complete = false;
  try {
    for await (const results of importBatches(work, batches)) {
      for (const { outcome } of results) counts[outcome] += 1;
      yield results;
    }
    complete = true;
  } finally {
    await tell({ kind: "site.import_ended", details: { source, mode, ...counts, complete } });
  }
}

/** Writes events of one run, which all of them name. */
export function createTeller({
  deps,
  caller,
  siteId,
}: Pick<ImportJob, "deps" | "caller" | "siteId">) {
  const run = newId<AuditEventId>();
  return async (act: Act): Promise<void> => {
    const details = { run, ...act.details };
    await deps.db.inSite(siteId, (tx) =>
      recordAct(tx, siteId, caller, { ...act, subjectId: siteId, details }, deps.clock.now()),
    );
  };
}
