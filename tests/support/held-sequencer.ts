import { runAsAdmin } from "./database.ts";
import { until } from "./waiting.ts";

/** The lock of the sequencer, in other hands: nobody numbers a change meanwhile. */
export interface HeldSequencer {
  readonly released: Promise<unknown>;
}

/** Takes the lock, for a time, and resolves once it is held. */
export async function holdSequencer(adminUrl: string, seconds: number): Promise<HeldSequencer> {
  const statement = `select pg_advisory_xact_lock(5678, 1), pg_sleep(${seconds})`;
  const released = runAsAdmin(adminUrl, statement);
  await until(async () => {
    // A step of a reader takes the lock too, but not by this statement.
    const rows = await runAsAdmin(
      adminUrl,
      `select from pg_locks l join pg_stat_activity a using (pid)
        where l.locktype = 'advisory' and l.classid = 5678 and l.granted
          and a.query = '${statement}' and a.datname = current_database()`,
    );
    return rows.length > 0;
  });
  return { released };
}
