import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import {
  clientsOf,
  createKey,
  grpcClients,
  refusal,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator, site } = opened;
const { users } = site.backend;

describe("a site key", () => {
  test("sees the fields of its projection alone, and finds by no other", async () => {
    const { id, email } = await createUser({ displayName: "Ada", username: unique("u") });
    const scopes = [Scope.USERS_READ];
    const key = await createKey(operator, site.siteId, { scopes, userFields: ["display_name"] });
    const narrow = grpcClients(service.url, key).users;
    const { user } = await narrow.getUser({ userId: id });
    const byEmail = narrow.lookupUser({ user: { ref: { case: "email", value: email } } });

    expect(user).toMatchObject({ id, displayName: "Ada", email: "", username: "", roles: [] });
    expect(await refusal(byEmail)).toMatchObject({ reason: "ACCESS_DENIED" });
  });

  test("without site.admin makes no admin and takes over none", async () => {
    const scopes = [Scope.USERS_READ, Scope.USERS_WRITE];
    const key = await createKey(operator, site.siteId, { scopes });
    const narrow = grpcClients(service.url, key).users;
    const admin = await createUser({ roles: ["admin"] });
    const { id: userId } = await createUser();
    const refusals = await Promise.all([
      refusal(narrow.createUser({ email: uniqueEmail(), roles: ["admin"] })),
      refusal(narrow.updateUser({ userId, roles: { roles: ["admin"] } })),
      refusal(narrow.updateUser({ userId: admin.id, email: uniqueEmail() })),
      refusal(narrow.deleteUser({ userId: admin.id })),
    ]);

    for (const refused of refusals) expect(refused).toMatchObject({ reason: "ACCESS_DENIED" });
  });

  test("gives another key no scope that it lacks", async () => {
    const scopes = [Scope.SITE_ADMIN];
    const key = await createKey(operator, site.siteId, { scopes });
    const narrow = grpcClients(service.url, key).sites;
    const refused = await refusal(narrow.createApiKey({ label: "x", scopes: [Scope.USERS_READ] }));

    expect(refused).toMatchObject({ reason: "ACCESS_DENIED" });
  });
});

describe("an admin", () => {
  test("writes Users by access token, and vouches for no address", async () => {
    const { userId, refreshToken } = await signUp(site.backend);
    await users.updateUser({ userId, roles: { roles: ["admin"] } });
    const { tokens } = await site.backend.auth.refreshToken({ refreshToken });
    const transport = createGrpcTransport({ baseUrl: service.url });
    const admin = clientsOf(transport, tokens?.accessToken ?? "").users;
    const { user } = await admin.createUser({ email: uniqueEmail() });
    const vouched = admin.createUser({ email: uniqueEmail(), emailVerified: true });

    expect(user?.siteId).toBe(site.siteId);
    expect(await refusal(vouched)).toMatchObject({ reason: "ACCESS_DENIED" });
  });
});

async function createUser(given: Partial<Pick<User, "displayName" | "username" | "roles">> = {}) {
  const { user } = await users.createUser({ email: uniqueEmail(), ...given });
  if (!user) throw new Error("the answer has no User");
  return user;
}
