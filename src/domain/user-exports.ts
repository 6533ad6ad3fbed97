import type { Caller } from "../model/caller.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import type { UserFilter } from "../model/user-filter.ts";
import type { StoredPassword } from "../store/credentials.ts";
import { findPasswords, readExportStretch } from "../store/user-exports.ts";
import { requireAdminNow } from "./admins.ts";
import type { Deps } from "./deps.ts";
import { createTeller } from "./import-audit.ts";

/** How many Users one statement looks at, so that it stays short whatever the filter. */
const SCAN_MAX = 5_000;

/** What an export is of. */
export interface ExportJob {
  readonly deps: Deps;
  readonly caller: Caller;
  readonly siteId: SiteId;
  readonly filter: UserFilter;
  readonly includePasswords: boolean;
}

/** A User and, where it is asked for, its password as it is stored. */
export interface ExportedUser {
  readonly user: User;
  readonly password: StoredPassword | undefined;
}

/** The next Users of an export. */
export interface ExportPage {
  readonly users: readonly ExportedUser[];
  /** The last User that was looked at, whether or not the filter lets it through. */
  readonly end: UserId;
}

/**
 * Reads page after page, each in a short transaction of its own, and tells the audit log when it
 * begins and how it ends. It reads no faster than the pages are taken.
 *
 * A page may be empty, where few Users pass the filter: then it says how far the export has come.
 *
 * @throws {Failure} `credential_invalid`, once the calling admin is none any more.
 */
export async function* exportUsers(
  job: ExportJob,
  { after: start, limit }: { readonly after: UserId | undefined; readonly limit: number },
): AsyncGenerator<ExportPage> {
  const tell = createTeller(job);
  const details = { password_hashes: job.includePasswords };
  let [users, complete] = [0, false];
  await tell({ kind: "site.export_started", details });
  try {
    for (let page = await readPage(job, start, limit); page; ) {
      users += page.users.length;
      yield page;
      page = await readPage(job, page.end, limit);
    }
    complete = true;
  } finally {
    await tell({ kind: "site.export_ended", details: { ...details, users, complete } });
  }
}

async function readPage(
  { deps, caller, siteId, filter, includePasswords }: ExportJob,
  after: UserId | undefined,
  limit: number,
): Promise<ExportPage | undefined> {
  return await deps.db.inSite(
    siteId,
    async (tx) => {
      await requireAdminNow(tx, siteId, caller);
      const page = { after, limit, scanMax: SCAN_MAX };
      const { users, end } = await readExportStretch(tx, siteId, filter, page);
      if (!end) return undefined;
      const ids = includePasswords ? users.map(({ id }) => id) : [];
      const passwords = ids.length > 0 ? await findPasswords(tx, siteId, ids) : new Map();
      return { users: users.map((user) => ({ user, password: passwords.get(user.id) })), end };
    },
    { readOnly: true },
  );
}
