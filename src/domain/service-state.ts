import { LIMITS } from "../model/limits.ts";
import type { Database } from "../store/database.ts";
import {
  countJobs,
  countWebhooks,
  type JobTotals,
  type LogState,
  listMirrorStates,
  type MirrorState,
  readLogState,
  type WebhookTotals,
} from "../store/service-state.ts";

/** How the service is doing as far as the database knows it: the same for all processes. */
export interface ServiceState {
  readonly asOf: Date;
  readonly log: LogState;
  readonly mirrors: readonly MirrorState[];
  /** Those besides, too. */
  readonly mirrorTotal: number;
  readonly webhooks: WebhookTotals;
  readonly jobs: readonly JobTotals[];
}

/** Looks at most so often, however many ask. */
const KEEP_MS = 2_000;

/** Creates what finds that out; undefined while the database is away. */
export function createServiceStateBoard(
  db: Pick<Database, "acrossSites">,
): () => Promise<ServiceState | undefined> {
  let kept: { readonly state: Promise<ServiceState | undefined>; readonly endMs: number };
  return () => {
    if (kept && performance.now() < kept.endMs) return kept.state;
    kept = { state: look(db).catch(() => undefined), endMs: performance.now() + KEEP_MS };
    return kept.state;
  };
}

/** One after the other, since none of it is worth more than one connection. */
async function look({ acrossSites }: Pick<Database, "acrossSites">): Promise<ServiceState> {
  const across = { query: acrossSites };
  const { meteredRowsMax, meteredMirrorsMax } = LIMITS;
  const asOf = new Date();
  const log = await readLogState(across, meteredRowsMax);
  const { mirrors, total } = await listMirrorStates(across, meteredMirrorsMax);
  const webhooks = await countWebhooks(across, meteredRowsMax);
  const jobs = await countJobs(across);
  return { asOf, log, mirrors, mirrorTotal: total, webhooks, jobs };
}
