import { expect, onTestFinished } from "vitest";
import {
  createUserMirror,
  type MirrorStorage,
  type StoredMirrorOptions,
  type User,
  type UserMirror,
} from "../../src/client/index.ts";
import { until } from "../support/waiting.ts";
import { idOf, type SiteModel, startSiteModel } from "./site-model.ts";

/** A storage of a Mirror under test, empty. */
export interface MirrorUnderTest<Transaction> extends AsyncDisposable {
  /** Opens the storage as one more instance of the app does. */
  open(): MirrorStorage<Transaction>;
  /** The Users that are no tombstones: address by id. */
  users(): Promise<Map<string, string>>;
  /** Changes a User's address past everything that guards the row. */
  tamper(id: string, email: string): Promise<void>;
}

/** A Site, a storage, and Mirrors between them; all ends with the test. */
export interface MirrorTrial<Transaction> {
  readonly site: SiteModel;
  readonly stored: MirrorUnderTest<Transaction>;
  open(options?: Partial<StoredMirrorOptions<Transaction>>): UserMirror;
  /** Waits until the storage has the Users of the Site. */
  converged(): Promise<void>;
}

/** How long anything may take. */
export const WAIT_MS = 15_000;

/** Starts a Site with so many Users, and no Mirror yet. */
export async function beginTrial<Transaction>(
  create: () => Promise<MirrorUnderTest<Transaction>>,
  count: number,
): Promise<MirrorTrial<Transaction>> {
  const site = await startSiteModel();
  const stored = await create();
  onTestFinished(async () => {
    await site[Symbol.asyncDispose]();
    await stored[Symbol.asyncDispose]();
  });
  for (let n = 1; n <= count; n++) site.put(idOf(n));
  return {
    site,
    stored,
    open(options = {}) {
      const mirror = createUserMirror({ client: site.client, storage: stored.open(), ...options });
      onTestFinished(() => mirror.close());
      return mirror;
    },
    converged: () => becomesEqual(site, stored),
  };
}

async function becomesEqual(
  site: SiteModel,
  { users }: { users(): Promise<Map<string, string>> },
): Promise<void> {
  let present = new Map<string, string>();
  const isEqual = async () => {
    present = await users().catch(() => present);
    return isSame(present, site.users());
  };
  await until(isEqual, WAIT_MS).catch(() => expect(present).toEqual(site.users()));
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([id, email]) => b.get(id) === email);
}

/** The ids of Users. */
export function idsOf(users: readonly User[]): string[] {
  return users.map(({ id }) => id);
}

/** What a Mirror is doing now. */
export async function presentStatus({ status }: UserMirror): Promise<string> {
  for await (const { type } of status) return type;
  return "none";
}

/** How a Mirror has ended. */
export async function lastStatus({ status }: UserMirror) {
  let last: unknown;
  for await (const present of status) last = present;
  return last;
}
