import { afterAll, beforeAll, expect, test } from "vitest";
import { createUserCounts } from "../../src/domain/user-counts.ts";
import type { SiteId } from "../../src/model/id.ts";
import { LIVE_STATES } from "../../src/model/user-filter.ts";
import type { Database } from "../../src/store/database.ts";
import { createBareSite } from "../support/bare-site.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { fillUsers } from "../support/many-users.ts";
import { rejection } from "../support/waiting.ts";

const USERS = 60_000; // Counted in four steps.
const VERIFIED = { states: LIVE_STATES, emailVerified: true };

let database: TestDatabase;
let siteId: SiteId;

beforeAll(async () => {
  database = await openTestDatabase();
  siteId = await createBareSite(database.db);
  await fillUsers(database.adminUrl, { siteId, users: USERS });
});

afterAll(() => database[Symbol.asyncDispose]());

test("counts Users as they are at one moment, though it takes many steps", async () => {
  let steps = 0;
  const counts = countsWith(async () => {
    steps += 1;
    await moveVerification();
  });

  const count = await counts(siteId, VERIFIED, new AbortController().signal);

  expect(steps).toBeGreaterThan(3);
  expect(count).toBe(USERS / 2);
});

test("stops once nobody waits any more", async () => {
  const controller = new AbortController();
  let steps = 0;
  const counts = countsWith(async () => {
    steps += 1;
    controller.abort(new Error("left"));
  });

  const stopped = await rejection(counts(siteId, VERIFIED, controller.signal));

  expect(stopped).toMatchObject({ message: "left" });
  expect(steps).toBe(1);
});

/** The real count, with something done between its steps. */
function countsWith(afterStep: () => Promise<void>) {
  const { db } = database;
  const inSite: Database["inSite"] = (site, work, options) =>
    db.inSite(
      site,
      (tx) =>
        work({
          async query(statement) {
            const result = await tx.query(statement);
            await afterStep();
            return result as never;
          },
        }),
      options,
    );
  const sites = { get: async () => undefined };
  return createUserCounts({ db: { ...db, inSite }, sites } as never);
}

/** Takes the verification from the first User of the list or the last, and gives it the other. */
async function moveVerification(): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `set session_replication_role = replica;
     update signet.users set email_verified = not email_verified
      where email in ('user1@example.com', 'user${USERS}@example.com')`,
  );
}
