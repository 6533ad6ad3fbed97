import { ImportOutcome } from "../../gen/signet/v1/user_service_pb.ts";
import { inLinkTransaction, type LinkDatabase, sqlStateOf } from "./link-database.ts";
import { importRows } from "./link-import.ts";
import type { Judged, LinkJudge } from "./link-judge.ts";
import type { LinkLog, LinkRun } from "./link-log.ts";
import { type LinkMirror, waitForMirror } from "./link-mirror.ts";
import { describeRefusal, type LinkProblem } from "./link-problem.ts";
import type { AppRow } from "./link-rows.ts";
import type { LinkTable } from "./link-table.ts";

/** What has become of a row. */
export interface LinkOutcome {
  readonly row: AppRow;
  /** `created` and `matched` say how the User came to be. */
  readonly outcome: "created" | "matched" | "skipped";
  /** Absent unless it was skipped. */
  readonly problem?: LinkProblem;
  readonly detail?: string;
  /** Absent where it was skipped. */
  readonly userId?: string;
  /** The User's version at the end. */
  readonly version?: bigint;
}

/** Where a batch is written. */
export interface LinkPlaces {
  readonly db: LinkDatabase;
  readonly table: LinkTable;
  readonly mirror: LinkMirror | undefined;
  readonly log: LinkLog;
  readonly run: LinkRun;
}

/** Does what was judged: first in Signet, then in the app's database, in one transaction. */
export async function writeBatch(
  places: LinkPlaces,
  judge: LinkJudge,
  judged: readonly Judged[],
): Promise<readonly LinkOutcome[]> {
  const outcomes = await writeUsers(judge, judged);
  const userIds = outcomes.flatMap(({ userId }) => (userId === undefined ? [] : [userId]));
  if (places.mirror) await waitForMirror(places.db, places.mirror, userIds);
  for (let attempt = 1; ; attempt++) {
    try {
      return await inLinkTransaction(places.db, async () => {
        const final = await linkRows(places, outcomes);
        await logOutcomes(places, final);
        return final;
      });
    } catch (error) {
      // Somebody has signed in meanwhile, and was linked at that.
      if (sqlStateOf(error) !== UNIQUE_VIOLATION || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

const UNIQUE_VIOLATION = "23505";
const ATTEMPTS_MAX = 5;

async function writeUsers(judge: LinkJudge, judged: readonly Judged[]): Promise<LinkOutcome[]> {
  const sent = judged.flatMap(({ row, verdict }) =>
    "fields" in verdict && verdict.fields ? [{ row, fields: verdict.fields }] : [],
  );
  const rows = sent.map(({ fields }) => fields);
  const results = await importRows(judge.client, judge.target, rows, { dryRun: false });
  const resultOf = new Map(sent.map(({ row }, n) => [row, results[n]]));
  return judged.map(({ row, verdict }) => {
    if (verdict.kind === "skip") {
      return skipped(row, verdict.problem, verdict.detail);
    }
    const outcome = verdict.kind === "match" ? "matched" : "created";
    const result = resultOf.get(row);
    if (!result) {
      const version = "version" in verdict ? verdict.version : 0n;
      return { row, outcome, userId: verdict.userId, version };
    }
    if (result.outcome === ImportOutcome.REFUSED) {
      return skipped(row, "refused", describeRefusal(result));
    }
    // Somebody has taken the address between the question and the act.
    if (result.userId !== verdict.userId) return skipped(row, "changed_meanwhile", "");
    return { row, outcome, userId: verdict.userId, version: result.version };
  });
}

/** Rows that somebody has linked or deleted meanwhile stay as they are. */
async function linkRows(
  { db, table }: LinkPlaces,
  outcomes: readonly LinkOutcome[],
): Promise<LinkOutcome[]> {
  const { name, id, idType, link } = table;
  const wanted = outcomes.filter(({ userId }) => userId !== undefined);
  const { rows: taken } = await db.query<{ user_id: string }>(
    `select ${link}::text as user_id from ${name.quoted} where ${link} = any($1::uuid[])`,
    [wanted.map(({ userId }) => userId)],
  );
  const takenIds = new Set<string | undefined>(taken.map((row) => row.user_id));
  const free = firstOfEach(wanted.filter(({ userId }) => !takenIds.has(userId)));
  const { rows } = await db.query<{ row_id: string }>(
    `update ${name.quoted} as own set ${link} = given.user_id
       from unnest($1::text[], $2::uuid[]) as given (row_id, user_id)
      where own.${id} = given.row_id::${idType.name} and own.${link} is null
     returning own.${id}::text as row_id`,
    [free.map(({ row }) => row.rowId), free.map(({ userId }) => userId)],
  );
  const linkedIds = new Set(rows.map((row) => row.row_id));
  return outcomes.map((each) => {
    if (each.userId === undefined || linkedIds.has(each.row.rowId)) return each;
    const problem = free.includes(each) ? "changed_meanwhile" : "linked_elsewhere";
    return skipped(each.row, problem, `User ${each.userId}`);
  });
}

/** Two rows of a batch may turn out to be the same User; the first one is. */
function firstOfEach(outcomes: readonly LinkOutcome[]): readonly LinkOutcome[] {
  return [...new Map(outcomes.toReversed().map((each) => [each.userId, each])).values()];
}

function skipped(row: AppRow, problem: LinkProblem, detail: string): LinkOutcome {
  return { row, outcome: "skipped", problem, detail };
}

/** A row that was skipped before and is tried again keeps one entry: the last. */
async function logOutcomes(
  { db, log, run }: LinkPlaces,
  outcomes: readonly LinkOutcome[],
): Promise<void> {
  const problemOf = ({ problem, detail }: LinkOutcome) =>
    problem === undefined ? undefined : detail ? `${problem}: ${detail}` : problem;
  await db.query(
    `insert into ${log.log} as entry
            (run, row_id, outcome, problem, new_link, user_version)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::bigint[])
     on conflict (run, row_id) do update
        set outcome = excluded.outcome, problem = excluded.problem,
            new_link = excluded.new_link, user_version = excluded.user_version,
            log_time = now()
      where entry.new_link is null or excluded.new_link is not null`,
    [
      run.run,
      outcomes.map(({ row }) => row.rowId),
      outcomes.map(({ outcome }) => outcome),
      outcomes.map(problemOf),
      outcomes.map(({ userId }) => userId),
      outcomes.map(({ version }) => version?.toString()),
    ],
  );
}
