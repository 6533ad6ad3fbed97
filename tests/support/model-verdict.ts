import { expect } from "vitest";
import { clientsOf, patiently, refusalOf } from "./builders.ts";
import {
  type ActingClients,
  type Actor,
  type ModelLink,
  type ModelSite,
  type ModelUser,
  type NewUser,
  viewOf,
  type World,
} from "./model-state.ts";
import { viewOfMessage } from "./model-stream.ts";

/**
 * What the oracle says a call must come to. Of several reasons to refuse, the contract does not say
 * which one is told. `accepted` takes over what only Signet can know, such as ids and tokens, and
 * does to the model what the call has done.
 */
export type Verdict<Answer> =
  | { readonly refused: readonly string[] }
  | { readonly accepted: (answer: Answer) => void };

/** Makes a call, and compares what comes of it with what must. */
export async function judge<Answer>(
  call: () => Promise<Answer>,
  verdict: Verdict<Answer>,
): Promise<void> {
  const outcome = await patiently(call).then(
    (answer) => ({ answer, told: "accepted" }),
    (error: unknown) => ({ told: refusalOf(error).reason || String(error) }),
  );
  expect("refused" in verdict ? verdict.refused : ["accepted"]).toContain(outcome.told);
  if ("accepted" in verdict && "answer" in outcome) verdict.accepted(outcome.answer);
}

/** Refuses where any reason holds, and accepts otherwise. */
export function unless<Answer>(
  reasons: Readonly<Record<string, boolean>>,
  accepted: (answer: Answer) => void,
): Verdict<Answer> {
  const refused = Object.keys(reasons).filter((reason) => reasons[reason]);
  return refused.length > 0 ? { refused } : { accepted };
}

/** Returns clients of one of the processes, each time of the other. */
export function clientsAs(world: World, site: ModelSite, actor: Actor): ActingClients {
  const isOperator = actor === "operator";
  const credential = isOperator ? world.operatorKey : site[actor].secret;
  return { ...withCredential(world, credential), siteId: isOperator ? site.id : "" };
}

/** Returns clients with any credential, of one of the processes. */
export function withCredential({ transports, moves }: World, credential: string) {
  return clientsOf(transports[moves % 2 === 0 ? 0 : 1], credential);
}

/**
 * Changes a User: where anything differs, or has happened by `kinds`, it gets the next version and
 * subscribers a Change that says all that has happened.
 */
export function alter(
  site: ModelSite,
  user: ModelUser,
  patch: Partial<Pick<ModelUser, keyof NewUser | "state" | "password">>,
  kinds: readonly string[] = [],
): void {
  const all = [...kinds, ...kindsBetween(user, { ...user, ...patch })];
  Object.assign(user, patch);
  if (all.length === 0) return;
  user.version += 1;
  site.changes.push({ kinds: all.toSorted(), user: viewOf(user) });
}

const PROFILE = ["username", "displayName", "externalId", "deletionProtected"] as const;

/** Says what differs, in the words of ChangeKind. */
function kindsBetween(before: NewUser, after: NewUser): string[] {
  const hasRoles = String(after.roles) === String(before.roles);
  const hasEmail = after.email === before.email;
  const verifiedDiffers = hasEmail && after.emailVerified !== before.emailVerified;
  const profileDiffers = PROFILE.some((name) => after[name] !== before[name]);
  return [
    ...(hasRoles ? [] : ["ROLES_CHANGED"]),
    ...(hasEmail ? [] : ["EMAIL_CHANGED"]),
    ...(verifiedDiffers && after.emailVerified ? ["EMAIL_VERIFIED"] : []),
    ...(profileDiffers || (verifiedDiffers && !after.emailVerified) ? ["UPDATED"] : []),
  ];
}

/** Expects the answer of a write to have the User as it should be. */
export function expectUser(user: ModelUser, told: Parameters<typeof viewOfMessage>[0]): void {
  expect(viewOfMessage(told)).toEqual(viewOf(user));
}

/** Expects the answer of a write to name the User and its version. */
export function expectVersion(
  { id, version }: ModelUser,
  told: { readonly userId: string; readonly version: bigint },
): void {
  expect({ userId: told.userId, version: Number(told.version) }).toEqual({ userId: id, version });
}

/** Voids links of a User, by default of every purpose. */
export function voidLinks(site: ModelSite, user: ModelUser, purpose?: ModelLink["purpose"]): void {
  for (const link of site.links) {
    if (link.user === user && (!purpose || link.purpose === purpose)) link.good = false;
  }
}

/** Ends all Sessions of a User but one, and voids access tokens and a change of address. */
export function endSessions(
  site: ModelSite,
  user: ModelUser,
  kept?: ModelUser["sessions"][number],
): void {
  user.generation += 1;
  voidLinks(site, user, "CONFIRM_EMAIL_CHANGE");
  for (const session of user.sessions) if (session !== kept) session.alive = false;
}

/** Tells whether a User is the only active admin. */
export function isLastAdmin({ users }: ModelSite, user: ModelUser): boolean {
  const counts = (one: ModelUser) => one.state === "ACTIVE" && one.roles.includes("admin");
  return counts(user) && !users.some((other) => other !== user && counts(other));
}
