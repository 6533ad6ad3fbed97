import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { uniqueEmail } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { type OwnSignet, openOwnSignet, peerEntry } from "../support/peered-sites.ts";
import { until } from "../support/waiting.ts";

const PATIENCE_MS = 60_000;
const email = uniqueEmail();

/** B follows A. */
let a: OwnSignet;
let b: OwnSignet;
let userId: string;

beforeAll(async () => {
  [a, b] = await Promise.all([openOwnSignet(), openOwnSignet()]);
  const { user } = await a.backend.users.createUser({
    ...{ email, emailVerified: true, displayName: "Ada", locale: "en" },
  });
  userId = user?.id ?? "";
  await follow(["email", "email_verified", "locale"]);
  await until(copy, PATIENCE_MS);
}, 90_000);

afterAll(async () => {
  await Promise.all([a, b].map((signet) => signet[Symbol.asyncDispose]()));
});

describe("a sync that begins anew", () => {
  test("brings a field that is new in the peer's list to those who are here", async () => {
    expect((await copy())?.displayName).toBe("");

    await follow(["email", "email_verified", "locale", "display_name"]);

    await until(async () => (await copy())?.displayName === "Ada", PATIENCE_MS);
  }, 90_000);

  test("takes back what a restored peer has lost", async () => {
    await a.backend.users.updateUser({ userId, displayName: "Lost", locale: "de" });
    await until(async () => (await copy())?.displayName === "Lost", PATIENCE_MS);

    await restore(a);

    await until(async () => (await copy())?.displayName === "Ada", PATIENCE_MS);
    expect((await copy())?.locale).toBe("en");
  }, 90_000);
});

/** Starts B anew, to take these fields. */
async function follow(userFields: readonly string[]): Promise<void> {
  const key = await a.peerKey([Scope.PEER, Scope.SYNC]);
  await b.restart([await peerEntry(b, a, { key, sync: true, user_fields: userFields })]);
}

async function copy() {
  const ref = { case: "email", value: email } as const;
  return (await b.backend.users.lookupUser({ user: { ref } }).catch(() => undefined))?.user;
}

/** Takes the last change of the User back, as a backup does that was made before it. */
async function restore({ database }: OwnSignet): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `begin;
     set local session_replication_role = replica;
     update signet.users
        set display_name = 'Ada', locale = 'en', version = version - 1
      where id = '${userId}';
     update signet.change_state set system_identifier = 1;
     commit`,
  );
  // What a session knows of its database is asked anew by the next one.
  await runAsAdmin(
    database.adminUrl,
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`,
  );
}
