import { domainToASCII } from "node:url";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import { ImportOutcome, type ImportResult } from "../../gen/signet/v1/user_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { createUserFetcher } from "../client/user-fetcher.ts";
import { type ImportFields, type ImportTarget, importRows } from "./link-import.ts";
import type { UnreadableHashes } from "./link-options.ts";
import { readAppHash } from "./link-password-hash.ts";
import { describeRefusal, isAboutHash, type LinkProblem, type Skip } from "./link-problem.ts";
import type { AppRow, Duplicates } from "./link-rows.ts";

/** What rows are judged by. */
export interface LinkJudge {
  readonly client: Pick<SignetClient, "users">;
  readonly target: ImportTarget;
  readonly externalIdPrefix: string;
  readonly unreadableHashes: UnreadableHashes;
  readonly duplicates: Duplicates;
  /** The id of the User that this run creates for a row: the same each time. */
  readonly newUserId: (rowId: string) => string;
}

/** What is to become of a row. */
export type Verdict =
  /** A User is created, with this id. */
  | { readonly kind: "create"; readonly userId: string; readonly fields: ImportFields }
  /** An earlier attempt of this run has created the User. */
  | { readonly kind: "created"; readonly userId: string; readonly version: bigint }
  /** The User is there already, and gets what it lacks. */
  | {
      readonly kind: "match";
      readonly userId: string;
      readonly version: bigint;
      readonly fields: ImportFields | undefined;
    }
  /** Nothing happens to the row. */
  | Skip;

/** A row and what is to become of it. */
export interface Judged {
  readonly row: AppRow;
  readonly verdict: Verdict;
}

interface Draft {
  readonly row: AppRow;
  readonly fields: ImportFields;
}

/** Judges rows, by what they say and by what Signet would do with them. It writes nothing. */
export async function judgeRows(judge: LinkJudge, rows: readonly AppRow[]): Promise<Judged[]> {
  const drafts = draftRows(judge, rows);
  const asked = drafts.filter((each): each is Draft => "fields" in each);
  const told = await askSignet(judge, asked);
  const found = told.map(({ result }) => result.userId).filter((id) => id !== "");
  const users = new Map((await fetchUsers(judge, found)).map((user) => [user.id, user]));
  const judged = new Map(
    told.map(({ draft, result }) => {
      const verdict = judgeResult(judge, draft, result, users);
      return [draft.row.rowId, { row: draft.row, verdict }];
    }),
  );
  return drafts.flatMap((draft) => {
    const each = "fields" in draft ? judged.get(draft.row.rowId) : draft;
    return each ? [each] : [];
  });
}

/** Ids that the contract allows in one BatchGetUsers. */
const FETCH_MAX = 500;

async function fetchUsers(
  { client, target }: Pick<LinkJudge, "client" | "target">,
  ids: readonly string[],
): Promise<User[]> {
  const fetchSome = createUserFetcher(client);
  const users: User[] = [];
  const wanted = [...new Set(ids)];
  for (let n = 0; n < wanted.length; n += FETCH_MAX) {
    users.push(...(await fetchSome(wanted.slice(n, n + FETCH_MAX), target.siteId)));
  }
  return users;
}

/** Two rows of one batch must not find the same User by what no User has yet. */
function draftRows(judge: LinkJudge, rows: readonly AppRow[]): (Draft | Judged)[] {
  const taken = new Set<string>();
  return rows.map((row) => {
    const draft = draftRow(judge, row);
    if (!("fields" in draft)) return draft;
    const { externalId = "", email = "" } = draft.fields;
    const names = { duplicate_id: externalId, duplicate_address: canonicalAddress(email) };
    const given = Object.entries(names).filter(([, name]) => name !== "");
    const repeated = given.find(([problem, name]) => taken.has(`${problem} ${name}`));
    for (const [problem, name] of given) taken.add(`${problem} ${name}`);
    return repeated ? { row, verdict: skip(repeated[0] as keyof typeof names, "") } : draft;
  });
}

function draftRow(judge: LinkJudge, row: AppRow): Draft | Judged {
  const { email, username, disabled } = row;
  if (!email && !username) return { row, verdict: skip("no_name", "") };
  const repeated = repeatedName(judge.duplicates, row);
  if (repeated) return { row, verdict: skip(repeated, "") };
  const passwordHash = row.hash ? readAppHash(row.hash) : undefined;
  if (row.hash && !passwordHash && judge.unreadableHashes === "skip") {
    return { row, verdict: skip("unreadable_hash", familyOf(row.hash)) };
  }
  const fields: ImportFields = {
    id: judge.newUserId(row.rowId),
    externalId: row.externalId ? `${judge.externalIdPrefix}${row.externalId}` : "",
    email: email ?? "",
    emailVerified: row.emailVerified && email !== null,
    username: username ?? "",
    displayName: row.displayName ?? "",
    disabled,
    ...(passwordHash && { passwordHash }),
  };
  return { row: passwordHash ? row : { ...row, hash: null }, fields };
}

/** Of accounts with one name the only one in use is the one that is meant. */
function repeatedName(
  { addresses, usernames }: Duplicates,
  { addressKey, usernameKey, disabled }: AppRow,
): LinkProblem | undefined {
  const isUnclear = (used: number | undefined) => used !== undefined && (used !== 1 || disabled);
  if (isUnclear(addresses.get(addressKey ?? ""))) return "duplicate_address";
  return isUnclear(usernames.get(usernameKey ?? "")) ? "duplicate_name" : undefined;
}

const FAMILY =
  /^(\{[A-Z0-9]{3,8}\}|\$[0-9a-z]{1,3}\$|(md5|sha1|bcrypt_sha256|pbkdf2_[a-z0-9]{1,8})\$)/;

/** Tells the family alone, since the column might hold passwords after all. */
function familyOf(hash: string): string {
  return FAMILY.exec(hash)?.[0] ?? "";
}

interface Told {
  readonly draft: Draft;
  readonly result: ImportResult;
}

/** Where it is the hash that Signet will not have, the row may still do without. */
async function askSignet(judge: LinkJudge, drafts: readonly Draft[]): Promise<Told[]> {
  const told = await tryDrafts(judge, drafts);
  if (judge.unreadableHashes === "skip") return told;
  const refused = told.filter(({ result }) => isAboutHash(result));
  if (refused.length === 0) return told;
  const bare = refused.map(({ draft: { row, fields } }) => {
    const { passwordHash: _, ...others } = fields;
    return { row: { ...row, hash: null }, fields: others };
  });
  return [...told.filter(({ result }) => !isAboutHash(result)), ...(await tryDrafts(judge, bare))];
}

async function tryDrafts(judge: LinkJudge, drafts: readonly Draft[]): Promise<Told[]> {
  const rows = drafts.map(({ fields }) => fields);
  const results = await importRows(judge.client, judge.target, rows, { dryRun: true });
  return drafts.flatMap((draft, n) => {
    const result = results[n];
    return result ? [{ draft, result }] : [];
  });
}

function judgeResult(
  judge: LinkJudge,
  draft: Draft,
  result: ImportResult,
  users: ReadonlyMap<string, User>,
): Verdict {
  if (result.outcome === ImportOutcome.REFUSED) {
    const problem = isAboutHash(result) ? "unreadable_hash" : "refused";
    return skip(problem, describeRefusal(result));
  }
  const { fields, row } = draft;
  const newId = judge.newUserId(row.rowId);
  if (result.userId === "") return { kind: "create", userId: newId, fields };
  const user = users.get(result.userId);
  if (!user || user.state === UserState.DELETED) return skip("changed_meanwhile", "");
  if (user.id === newId) return { kind: "created", userId: newId, version: untouchedVersion(user) };
  const problem = problemOfMatch(judge, draft, user);
  if (problem) return skip(problem, `the User ${user.id}`);
  const { id: userId, version } = user;
  return { kind: "match", userId, version, fields: lackingFields(fields, user) };
}

/**
 * Whoever is found by the external id has to be found by a name too, since another app of the
 * Site may have the same ids. Whoever is found by the address alone has to have proved in both
 * systems that it is theirs: otherwise who has registered with somebody else's address, here or
 * there, would get that person's account.
 */
function problemOfMatch(
  { target }: LinkJudge,
  { fields, row }: Draft,
  user: User,
): LinkProblem | undefined {
  const { email = "", username = "", externalId = "" } = fields;
  const isSameAddress = email !== "" && canonicalAddress(email) === user.email;
  const isSameName = username !== "" && username.toLowerCase() === user.username;
  if (externalId !== "" && externalId === user.externalId) {
    const { origin } = user;
    if (origin?.source === target.source && origin.sourceUserId === externalId) return undefined;
    const hasBothAddresses = email !== "" && user.email !== "";
    return isSameAddress || (isSameName && !hasBothAddresses) ? undefined : "other_person";
  }
  if (!isSameAddress) return "other_person";
  return user.emailVerified && row.emailVerified ? undefined : "unverified_match";
}

/** A version that no User has says that it was altered since it was created. */
function untouchedVersion({ version, createTime, updateTime }: User): bigint {
  const isUntouched =
    createTime?.seconds === updateTime?.seconds && createTime?.nanos === updateTime?.nanos;
  return isUntouched ? version : 0n;
}

/** What the User has stays as it is. */
function lackingFields(fields: ImportFields, user: User): ImportFields | undefined {
  const { externalId = "", passwordHash } = fields;
  const lacking: ImportFields = {
    ...(user.externalId === "" && externalId !== "" && { externalId }),
    ...(!user.passwordChangeTime && passwordHash && { passwordHash }),
  };
  return Object.keys(lacking).length > 0 ? { id: user.id, ...lacking } : undefined;
}

/** Writes an address in Signet's form: lower case, the domain in ASCII. */
export function canonicalAddress(email: string): string {
  const at = email.lastIndexOf("@");
  const [name, domain] = [email.slice(0, at + 1), email.slice(at + 1)];
  return `${name.normalize("NFC").toLowerCase()}${domainToASCII(domain) || domain.toLowerCase()}`;
}

function skip(problem: LinkProblem, detail: string): Skip {
  return { kind: "skip", problem, detail };
}
