import type { Command } from "commander";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import { createUserFetcher } from "../client/user-fetcher.ts";
import { CheckFailed, type Context } from "./context.ts";
import { layOutFields, layOutTable } from "./layout.ts";
import { canonicalAddress } from "./link-judge.ts";
import { addLinkCommand, type LinkOptions } from "./link-options.ts";
import { countRows, type LinkedRow, readLinkedRows } from "./link-rows.ts";
import { findMissing } from "./link-schema.ts";
import { type LinkSession, withLinkSession } from "./link-session.ts";
import { createProgress } from "./progress.ts";

interface VerifyOptions extends LinkOptions {
  readonly complete?: true;
}

/** What is wrong with a link. */
type LinkFault = "dangling" | "mismatched" | "shared";

interface LinkVerdict {
  readonly linked: number;
  readonly unlinked: number;
  /** Links to Users whom the Site has not, or has no more. */
  readonly dangling: number;
  /** Rows whose address is not the one of their User. */
  readonly mismatched: number;
  /** Rows whose User is that of another row, too. */
  readonly shared: number;
  /** What apply would add to the app's database. */
  readonly missing: readonly string[];
  /** The first of what is wrong. */
  readonly findings: readonly LinkFaultFinding[];
}

interface LinkFaultFinding {
  readonly rowId: string;
  readonly userId: string;
  readonly fault: LinkFault;
}

/** As many as BatchGetUsers takes. */
const BATCH_ROWS = 500;
const FINDINGS_MAX = 1_000;
const FINDINGS_SHOWN = 20;

/** Adds `signet link verify`. */
export function addLinkVerify(link: Command, context: Context): void {
  addLinkCommand(link, "verify", {
    description: "Checks every link. It ends with 1 where one is wrong; it writes nothing.",
    examples: [
      "signet link verify --to postgres://localhost/shop --table shop.users",
      "signet link verify --to postgres://localhost/shop --mapping link.json --complete --json",
    ],
  })
    .option("--complete", "end with 1 where a row is not linked, too")
    .action((options: VerifyOptions) => verifyLink(context, options));
}

async function verifyLink(context: Context, options: VerifyOptions): Promise<void> {
  const verdict = await withLinkSession(context, options, { readOnly: true }, (session) =>
    verify(context, session),
  );
  const { print } = context.terminal;
  print(options.json ? JSON.stringify(verdict, undefined, 2) : layOutVerdict(verdict));
  const { dangling, mismatched, shared, missing, unlinked } = verdict;
  const wrong = dangling + mismatched + shared;
  if (wrong > 0) throw new CheckFailed(`${wrong} links are wrong`, 1);
  if (missing.includes("column")) throw new CheckFailed("the table was never linked", 1);
  if (options.complete && unlinked > 0) throw new CheckFailed(`${unlinked} rows are unlinked`, 1);
}

async function verify({ terminal }: Context, session: LinkSession): Promise<LinkVerdict> {
  const { db, table, client, siteId, mirror } = session;
  const counts = await countRows(db, table);
  const present = await findMissing(db, table, mirror);
  const missing = Object.entries(present).flatMap(([name, isMissing]) => (isMissing ? [name] : []));
  const faults = { dangling: 0, mismatched: 0, shared: 0 };
  const findings: LinkFaultFinding[] = [];
  const add = ({ rowId, userId }: LinkedRow, fault: LinkFault) => {
    faults[fault]++;
    if (findings.length < FINDINGS_MAX) findings.push({ rowId, userId, fault });
  };
  if (!table.hasLink) return { ...counts, ...faults, missing, findings };
  const fetchUsers = createUserFetcher(client);
  const showProgress = createProgress(terminal, "links");
  let done = 0;
  try {
    for await (const rows of readLinkedRows(db, table, BATCH_ROWS)) {
      const userIds = [...new Set(rows.map(({ userId }) => userId))];
      const found = await fetchUsers(userIds, siteId);
      const users = new Map(found.map((user) => [user.id, user]));
      const shared = await findShared(session, userIds);
      for (const row of rows) {
        const fault = faultOf(row, users.get(row.userId), shared);
        if (fault) add(row, fault);
      }
      done += rows.length;
      showProgress(done, counts.linked);
    }
  } finally {
    terminal.show("");
  }
  return { ...counts, ...faults, missing, findings };
}

/** A unique index rules it out, and an app may have linked without one. */
async function findShared(
  { db, table: { name, link } }: LinkSession,
  userIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ user_id: string }>(
    `select ${link}::text as user_id from ${name.quoted} where ${link} = any($1::uuid[])
      group by ${link} having count(*) > 1`,
    [userIds],
  );
  return new Set(rows.map((row) => row.user_id));
}

function faultOf(
  { userId, email }: LinkedRow,
  user: User | undefined,
  shared: ReadonlySet<string>,
): LinkFault | undefined {
  if (!user || user.state === UserState.DELETED) return "dangling";
  if (shared.has(userId)) return "shared";
  return email !== null && canonicalAddress(email) !== user.email ? "mismatched" : undefined;
}

function layOutVerdict({ missing, findings, ...verdict }: LinkVerdict): string {
  const fields = layOutFields([
    ["linked", `${verdict.linked}`],
    ["not linked", `${verdict.unlinked}`],
    ["dangling", `${verdict.dangling}`],
    ["mismatched addresses", `${verdict.mismatched}`],
    ["shared Users", `${verdict.shared}`],
    ["missing in the database", missing.join(", ")],
  ]);
  if (findings.length === 0) return fields;
  const shown = findings.slice(0, FINDINGS_SHOWN);
  const rows = shown.map(({ rowId, userId, fault }) => [rowId, userId, fault]);
  return `${fields}\n\n${layOutTable(["row", "user", "fault"], rows)}`;
}
