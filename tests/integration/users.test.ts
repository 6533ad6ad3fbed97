import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import type {
  CreateUserRequestSchema,
  UpdateUserRequestSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { refusal, unique, uniqueEmail } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

type NewUser = MessageInitShape<typeof CreateUserRequestSchema>;
type Update = MessageInitShape<typeof UpdateUserRequestSchema>;

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database } = opened;
const { users } = opened.site.backend;

describe("CreateUser", () => {
  test("answers a repeat with the same id as the first call, and creates nothing", async () => {
    const given = { id: randomUUID(), email: uniqueEmail(), displayName: "Ada" };
    const first = await createUser(given);
    const again = await createUser(given);

    expect(again).toEqual(first);
    expect(first.id).toBe(given.id);
    expect(await changesOf(first.id)).toEqual(["user_created"]);
  });

  test("fails with ID_TAKEN where the id is another User's", async () => {
    const { id } = await createUser();

    expect(await refusal(users.createUser({ id, email: uniqueEmail() }))).toMatchObject({
      code: "AlreadyExists",
      reason: "ID_TAKEN",
    });
  });

  test("writes addresses in their canonical form", async () => {
    const name = unique("Ada");
    const { email } = await createUser({ email: `${name}@MÜNCHEN.example` });

    expect(email).toBe(`${name.toLowerCase()}@xn--mnchen-3ya.example`);
  });

  test("of one address at once creates one User", async () => {
    const email = uniqueEmail();
    const calls = Array.from({ length: 10 }, () => users.createUser({ email }));
    const outcomes = await Promise.allSettled(calls);

    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("UpdateUser", () => {
  test("changes what is present, empties what is empty, leaves the rest", async () => {
    const before = await createUser({
      username: unique("u"),
      displayName: "Ada",
      locale: "de",
      externalId: unique("x"),
      metadata: { plan: "free" },
    });
    const after = await updateUser({
      userId: before.id,
      username: "",
      externalId: "",
      displayName: "Countess",
      metadata: {},
    });

    expect(after).toMatchObject({ displayName: "Countess", username: "", externalId: "" });
    expect(after).toMatchObject({ email: before.email, locale: "de", roles: ["user"] });
    expect(after.metadata).toBeUndefined();
    expect(after.version).toBe(before.version + 1n);
  });

  test("that changes nothing raises no version and writes no Change", async () => {
    const before = await createUser({ displayName: "Ada" });
    const after = await updateUser({ userId: before.id, displayName: "Ada" });

    expect(after).toEqual(before);
    expect(await changesOf(before.id)).toEqual(["user_created"]);
  });

  test("takes the verification away with the address", async () => {
    const { id } = await createUser({ emailVerified: true });
    const after = await updateUser({ userId: id, email: uniqueEmail() });

    expect(after.emailVerified).toBe(false);
  });

  test("of one version at once succeeds once, and fails with VERSION_MISMATCH else", async () => {
    const { id, version } = await createUser();
    const calls = Array.from({ length: 10 }, (_, n) => {
      const request = { userId: id, expectedVersion: version, displayName: `Ada ${n}` };
      return users.updateUser(request).then(
        () => "updated",
        async (error: unknown) => (await refusal(Promise.reject(error))).reason,
      );
    });
    const outcomes = (await Promise.all(calls)).sort();

    expect(outcomes).toEqual([...Array(9).fill("VERSION_MISMATCH"), "updated"]);
  });

  test("to what another User has fails with the reason of the field", async () => {
    const taken = { email: uniqueEmail(), username: unique("u"), externalId: unique("x") };
    await createUser(taken);
    const { id: userId } = await createUser();
    const refusals = await Promise.all([
      refusal(users.updateUser({ userId, email: taken.email })),
      refusal(users.updateUser({ userId, username: taken.username })),
      refusal(users.updateUser({ userId, externalId: taken.externalId })),
    ]);

    expect(refusals.map(({ reason }) => reason)).toEqual([
      "EMAIL_TAKEN",
      "USERNAME_TAKEN",
      "EXTERNAL_ID_TAKEN",
    ]);
  });
});

describe("DeleteUser", () => {
  test("leaves a tombstone with nothing personal, and may be repeated", async () => {
    const before = await createUser({
      displayName: "Ada",
      metadata: { a: 1 },
      username: unique("u"),
    });
    const { user: deleted } = await users.deleteUser({ userId: before.id });
    const { user: again } = await users.deleteUser({ userId: before.id });
    await changesOf(before.id); // The log erases when it numbers the deletion.
    const stored = await runAsAdmin<{ bodies: number }>(
      database.adminUrl,
      `select count(*)::integer as bodies from signet.changes
        where user_id = '${before.id}' and convert_from(body, 'LATIN1') like '%Ada%'`,
    );

    expect(deleted).toMatchObject({ state: UserState.DELETED, email: "", username: "", roles: [] });
    expect(deleted?.metadata).toBeUndefined();
    expect(deleted?.deleteTime).toBeDefined();
    expect(again).toEqual(deleted);
    expect(stored).toEqual([{ bodies: 0 }]);
  });

  test("frees the address for another User", async () => {
    const { id, email } = await createUser();
    await users.deleteUser({ userId: id });

    await expect(createUser({ email })).resolves.toMatchObject({ email });
  });

  test("is refused for a protected User and for the last admin", async () => {
    const guarded = await createUser({ deletionProtected: true });
    const admin = await createUser({ roles: ["admin"] });
    const refusals = [
      await refusal(users.deleteUser({ userId: guarded.id })),
      await refusal(users.deleteUser({ userId: admin.id })),
      await refusal(users.updateUser({ userId: admin.id, roles: { roles: ["user"] } })),
    ];
    await createUser({ roles: ["admin"] });

    expect(refusals.map(({ code, reason }) => [code, reason])).toEqual([
      ["FailedPrecondition", "DELETION_PROTECTED"],
      ["FailedPrecondition", "LAST_ADMIN"],
      ["FailedPrecondition", "LAST_ADMIN"],
    ]);
    await expect(users.deleteUser({ userId: admin.id })).resolves.toBeDefined();
  });
});

describe("BatchGetUsers", () => {
  test("answers 500 ids in their order, tombstones among them, and names the missing", async () => {
    const known = await Promise.all(Array.from({ length: 20 }, () => createUser()));
    const [first] = known;
    const { user: tombstone } = await users.deleteUser({ userId: first?.id ?? "" });
    const missing = Array.from({ length: 480 }, () => randomUUID());
    const userIds = [...missing, ...known.map(({ id }) => id).reverse()];

    const answer = await users.batchGetUsers({ userIds });

    expect(answer.users).toEqual([...known.slice(1).reverse(), tombstone]);
    expect(answer.missingIds).toEqual(missing);
    expect(answer.remainingIds).toEqual([]);
  });

  test("names what does not fit into one answer, to be asked for again", async () => {
    const metadata = { text: "x".repeat(8_000) };
    const made = await Promise.all(Array.from({ length: 200 }, () => createUser({ metadata })));
    const ids = made.map(({ id }) => id);
    const answer = await users.batchGetUsers({ userIds: ids });
    const rest = await users.batchGetUsers({ userIds: answer.remainingIds });

    expect(answer.remainingIds.length).toBeGreaterThan(0);
    expect([...answer.users, ...rest.users].map(({ id }) => id)).toEqual(ids);
  });
});

async function createUser(given: NewUser = {}): Promise<User> {
  return present((await users.createUser({ email: uniqueEmail(), ...given })).user);
}

async function updateUser(request: Update): Promise<User> {
  return present((await users.updateUser(request)).user);
}

function present(user: User | undefined): User {
  if (!user) throw new Error("the answer has no User");
  return user;
}

/** Reads the log once it holds the User's last version. */
async function changesOf(userId: string): Promise<string[]> {
  await until(async () => {
    const missing = await runAsAdmin(
      database.adminUrl,
      `select from signet.users u where id = '${userId}' and not exists (
         select from signet.changes c where c.user_id = u.id and c.version = u.version)`,
    );
    return missing.length === 0;
  });
  const rows = await runAsAdmin<{ kind: string }>(
    database.adminUrl,
    `select kind from signet.changes where user_id = '${userId}' order by pos`,
  );
  return rows.map(({ kind }) => kind);
}
