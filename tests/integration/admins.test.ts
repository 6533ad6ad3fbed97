import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  logIn,
  refusal,
  type SignedIn,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const ADMIN = { roles: ["admin", "user"] };

let opened: SiteOnService;
let backend: Clients;
/** The one that no test takes away. */
let boss: SignedIn;

beforeAll(async () => {
  opened = await openSiteOnService();
  backend = opened.site.backend;
  boss = await signUpAdmin();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("an admin, by access token", () => {
  test("does with the Users of its Site all that a backend can", async () => {
    const { users } = clientsOf(boss.accessToken);
    const { user: made } = await users.createUser({ email: uniqueEmail(), username: unique("u") });
    const userId = made?.id ?? "";
    const ref = { case: "username", value: made?.username ?? "" } as const;
    const { user: invited } = await users.inviteUser({ email: uniqueEmail() });

    expect(await users.getUser({ userId })).toMatchObject({ signIn: { failedLogins: 0 } });
    expect((await users.lookupUser({ user: { ref } })).user?.id).toBe(userId);
    expect((await users.batchGetUsers({ userIds: [userId] })).users).toHaveLength(1);
    expect((await users.listUsers({})).users.map(({ id }) => id)).toContain(invited?.id);
    expect(Number((await users.countUsers({})).count)).toBeGreaterThan(1);
    const update = { userId, displayName: "Ada", roles: { roles: ["admin"] } };
    expect((await users.updateUser(update)).user).toMatchObject({ displayName: "Ada" });
    for (const act of [users.disableUser, users.enableUser, users.unlockUser, users.resetMfa]) {
      expect((await act({ userId })).user?.id).toBe(userId);
    }
    expect((await users.deleteUser({ userId })).user?.deleteTime).toBeDefined();
    const { events } = await users.listAuditEvents({ actorId: boss.userId, subjectId: userId });
    expect(events[0]).toMatchObject({ kind: "user.deleted", actor: { id: boss.userId } });
  });

  test("neither sees the Site's Changes nor takes a token that signs somebody in", async () => {
    const { users } = clientsOf(boss.accessToken);
    const { userId } = await signUp(backend);
    const token = users.inviteUser({ email: uniqueEmail(), delivery: Delivery.RETURN_TOKEN });

    expect(await refusal(token)).toMatchObject({ reason: "ACCESS_DENIED" });
    expect((await users.listUsers({})).syncCursor).toBe("");
    expect(await refusal(users.updateUser({ userId, emailVerified: true }))).toMatchObject({
      reason: "ACCESS_DENIED",
    });
  });

  test("is one as long as it has the role, and no other User is", async () => {
    const plain = await signUp(backend);
    const former = await signUpAdmin();
    await backend.users.updateUser({ userId: former.userId, roles: { roles: ["user"] } });
    const tokens = await backend.auth.refreshToken({ refreshToken: former.refreshToken });
    const asPlain = clientsOf(plain.accessToken).users;
    const roles = ADMIN;

    const refusals = [
      await refusal(asPlain.updateUser({ userId: plain.userId, roles })),
      await refusal(asPlain.getUser({ userId: plain.userId })),
      await refusal(clientsOf(tokens.tokens?.accessToken ?? "").users.listUsers({})),
    ];

    expect(refusals.map(({ reason }) => reason)).toEqual(Array(3).fill("ACCESS_DENIED"));
  });

  test.each<[string, (users: Clients["users"], userId: string) => Promise<unknown>]>([
    ["UpdateUser", (users, userId) => users.updateUser({ userId, roles: ADMIN })],
    ["CreateUser", (users) => users.createUser({ email: uniqueEmail(), roles: ["admin"] })],
    ["InviteUser", (users) => users.inviteUser({ email: uniqueEmail() })],
    ["DisableUser", (users) => users.disableUser({ userId: boss.userId })],
    ["DeleteUser", (users) => users.deleteUser({ userId: boss.userId })],
    ["ResetMfa", (users) => users.resetMfa({ userId: boss.userId })],
  ])("changes nothing by %s once it is none, though nobody was told yet", async (_name, act) => {
    const former = await signUpAdmin();
    // As another process's view is for a moment: the roles are gone, and no notice has come.
    await runAsAdmin(
      opened.database.adminUrl,
      `set session_replication_role = replica;
       update signet.users set roles = '{user}' where id = '${former.userId}'`,
    );

    const refused = await refusal(act(clientsOf(former.accessToken).users, former.userId));

    expect(refused).toMatchObject({ code: "Unauthenticated", reason: "CREDENTIAL_INVALID" });
  });
});

describe("a site key without site.admin", () => {
  let narrow: Clients["users"];
  let admin: User;

  beforeAll(async () => {
    const scopes = [Scope.USERS_READ, Scope.USERS_WRITE, Scope.AUTH, Scope.AUTH_TOKENS];
    narrow = clientsOf(await createKey(opened.operator, opened.site.siteId, { scopes })).users;
    const given = { email: uniqueEmail(), username: unique("u"), ...ADMIN };
    const { user } = await backend.users.createUser(given);
    if (!user) throw new Error("the answer has no User");
    admin = user;
  });

  test("changes what an admin is called, and leaves the roles as they are", async () => {
    const update = { displayName: "Ada", email: admin.email, roles: ADMIN };
    const { user } = await narrow.updateUser({ userId: admin.id, ...update });

    expect(user).toMatchObject({ displayName: "Ada", roles: ["admin", "user"] });
  });

  test.each<[string, (userId: string) => Promise<unknown>]>([
    ["the address", (userId) => narrow.updateUser({ userId, email: uniqueEmail() })],
    ["its verification", (userId) => narrow.updateUser({ userId, emailVerified: true })],
    ["the username", (userId) => narrow.updateUser({ userId, username: unique("u") })],
    ["the username, to none", (userId) => narrow.updateUser({ userId, username: "" })],
    ["the roles", (userId) => narrow.updateUser({ userId, roles: { roles: [] } })],
    ["the second factor", (userId) => narrow.resetMfa({ userId })],
    ["the lock", (userId) => narrow.unlockUser({ userId })],
    ["the state, to disabled", (userId) => narrow.disableUser({ userId })],
    ["the state, to enabled", (userId) => narrow.enableUser({ userId })],
    ["the existence", (userId) => narrow.deleteUser({ userId })],
  ])("does not change %s of an admin", async (_what, act) => {
    const { user: before } = await backend.users.getUser({ userId: admin.id });
    const refused = await refusal(act(admin.id));
    const { user: after } = await backend.users.getUser({ userId: admin.id });

    expect(refused).toMatchObject({ code: "PermissionDenied", reason: "ACCESS_DENIED" });
    expect(after).toEqual(before);
  });

  test("makes no admin, and gets no token of one who is invited", async () => {
    const email = uniqueEmail();
    const { user } = await narrow.createUser({ email: uniqueEmail() });
    await backend.users.inviteUser({ email, ...ADMIN });
    const delivery = Delivery.RETURN_TOKEN;

    const refusals = await Promise.all([
      refusal(narrow.createUser({ email: uniqueEmail(), ...ADMIN })),
      refusal(narrow.updateUser({ userId: user?.id ?? "", roles: ADMIN })),
      refusal(narrow.inviteUser({ email: uniqueEmail(), ...ADMIN })),
      refusal(narrow.inviteUser({ email, delivery })),
    ]);

    expect(refusals.map(({ reason }) => reason)).toEqual(Array(4).fill("ACCESS_DENIED"));
  });
});

async function signUpAdmin(): Promise<SignedIn> {
  const person = await signUp(backend);
  await backend.users.updateUser({ userId: person.userId, roles: ADMIN });
  return { ...person, ...(await logIn(backend, person.email, person.password)) };
}

function clientsOf(credential: string): Clients {
  return grpcClients(opened.service.url, credential);
}
