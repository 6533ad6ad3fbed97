import type { Pool } from "pg";
import type { RevocationNames } from "../client/revocation-tables.ts";
import { type Finding, fail, ok, skip, warn } from "./finding.ts";

const CHECK = "mirror.revocations";
/** Heartbeats come every second or two. */
const AGE_SECONDS_WARN = 15;
/** Where nobody has said otherwise apps refuse every token from this age on. */
const AGE_SECONDS_MAX = 300;

const RUN = "run `signet sync mirror`, and leave it running";

/** Checks the table of Revocations, where there is one, and whether it is current. */
export async function checkRevocations(pool: Pool, names: RevocationNames): Promise<Finding> {
  const { revocations, state, check } = names;
  const { rows } = await pool.query<{ table: boolean; state: boolean; check: boolean }>(
    `select to_regclass($1) is not null as table, to_regclass($2) is not null as state,
            to_regproc($3) is not null as check`,
    [revocations, state, check],
  );
  const [present] = rows;
  if (!present?.table && !present?.state) return skip(CHECK, `there is no ${revocations}`);
  if (!present.table || !present.state || !present.check) {
    return fail(CHECK, "a part of it is missing: table, state or function", RUN);
  }
  if (!(await hasGuard(pool, names))) {
    const advice = `drop the function ${check}, and run \`signet sync mirror\`, which makes both`;
    return fail(CHECK, "its trigger is missing or disabled: rows may be lost unseen", advice);
  }
  return ageFinding(await ageSeconds(pool, names));
}

function ageFinding(seconds: number): Finding {
  const age = `it is ${Math.round(seconds)} s old`;
  if (seconds <= AGE_SECONDS_WARN) return ok(CHECK, "it is current");
  if (seconds <= AGE_SECONDS_MAX) return warn(CHECK, age, RUN);
  const text = Number.isFinite(seconds) ? age : "it was never filled";
  return fail(CHECK, `${text}: apps that ask it refuse every token`, RUN);
}

async function hasGuard(pool: Pool, { revocations, guard }: RevocationNames): Promise<boolean> {
  const { rows } = await pool.query<{ found: boolean }>(
    `select exists (select from pg_trigger
                     where tgrelid = $1::regclass and tgname = 'signet_guard'
                       and tgenabled in ('O', 'A') and tgfoid = to_regproc($2)) as found`,
    [revocations, guard],
  );
  return rows[0]?.found === true;
}

async function ageSeconds(pool: Pool, { state }: RevocationNames): Promise<number> {
  const { rows } = await pool.query<{ age: string | null }>(
    `select extract(epoch from clock_timestamp() - known_time)::text as age from ${state}`,
  );
  return Number(rows[0]?.age ?? Number.POSITIVE_INFINITY);
}
