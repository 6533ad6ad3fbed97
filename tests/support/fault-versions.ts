import { cp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openTestFolder } from "./postgres.ts";

/** Later versions of the service, as far as a process beside it can tell. */
export interface FaultVersions extends AsyncDisposable {
  /** Makes the next version, and returns the folder of its program. */
  next(): Promise<string>;
}

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const FIRST_NUMBER = 9_000;

/**
 * Makes versions of this tree that differ by one more migration each: a column, an index and a
 * constraint of the busiest table, and the sequencer put in place anew. A clone of CI has no
 * older version, and the older of two is the one that has to bear the schema of the newer.
 */
export async function openFaultVersions(): Promise<FaultVersions> {
  const folder = await openTestFolder();
  const migrations: { readonly name: string; readonly text: string }[] = [];
  return {
    async next() {
      const number = FIRST_NUMBER + migrations.length;
      migrations.push({ name: `${number}_later.sql`, text: laterMigration(number) });
      const version = join(folder, `version-${number}`);
      await mkdir(version);
      for (const part of ["src", "gen", "package.json"]) {
        await cp(join(REPOSITORY, part), join(version, part), { recursive: true });
      }
      await symlink(join(REPOSITORY, "node_modules"), join(version, "node_modules"));
      for (const { name, text } of migrations) {
        await writeFile(join(version, "src/store/migrations", name), text);
      }
      return version;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

function laterMigration(number: number): string {
  return `-- What a later version may do to a table under traffic.

alter table signet.users add column later_${number} text not null default '';
alter table signet.users
  add constraint users_later_${number}_check check (length(later_${number}) < 100);
create index users_later_${number}_key on signet.users (site_id, update_time);

do $$
declare
  body text;
begin
  for body in
    select pg_get_functiondef(p.oid) from pg_proc p
     where p.pronamespace = 'signet'::regnamespace and p.prokind = 'f'
  loop
    execute body;
  end loop;
end
$$;
`;
}
