import { randomUUID } from "node:crypto";
import type { Transport } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InvalidTokenReason } from "../../gen/signet/v1/auth_service_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import {
  type Clients,
  clientsOf,
  logIn,
  openSite,
  refusal,
  signUp,
  type TestSite,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { startService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";
import { WIRES } from "../support/wires.ts";

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
  service = await startService({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe.each(WIRES)("the main job over %s", (_wire, connect) => {
  let transport: Transport;
  let site: TestSite;
  let backend: Clients;

  beforeAll(async () => {
    transport = connect(service.url);
    site = await openSite(transport, service.operatorKey);
    backend = site.backend;
  });

  test("registers, verifies with the mail, signs in, validates, refreshes, logs out", async () => {
    const [email, password] = [uniqueEmail(), unique("correct horse")];
    const { userId } = await backend.auth.register({ email, password });
    const { token: mailed } = await mailTo(() => printedMails(service), email);
    const early = await refusal(logIn(backend, email, password));
    const verified = await backend.auth.verifyEmail({ token: mailed });
    const session = await logIn(backend, email, password);
    const { result: valid } = await backend.auth.validateToken({ token: session.accessToken });
    const { tokens } = await backend.auth.refreshToken({ refreshToken: session.refreshToken });
    const asUser = clientsOf(transport, tokens?.accessToken ?? "");
    const loggedOut = await asUser.auth.logout({});
    const refused = await until(async () => {
      const { result } = await backend.auth.validateToken({ token: session.accessToken });
      return result.case === "invalid" ? result.value : undefined;
    }, 1_000);
    const again = await refusal(
      backend.auth.refreshToken({ refreshToken: tokens?.refreshToken ?? "" }),
    );

    expect(early).toMatchObject({ code: "FailedPrecondition", reason: "EMAIL_UNVERIFIED" });
    expect(verified.userId).toBe(userId);
    expect(verified.redirectUrl).toMatch(/^https:\/\/site-/);
    expect(valid.case).toBe("valid");
    expect(valid.value).toMatchObject({
      userId,
      siteId: site.siteId,
      sessionId: session.sessionId,
      roles: ["user"],
      amr: ["pwd"],
    });
    expect(tokens?.refreshToken).not.toBe(session.refreshToken);
    expect(loggedOut).toMatchObject({ userId, version: verified.version });
    expect(refused.reason).toBe(InvalidTokenReason.REVOKED);
    expect(again).toMatchObject({ code: "Unauthenticated", reason: "REFRESH_TOKEN_INVALID" });
  });

  test("creates, finds, changes and deletes a User, and keeps its tombstone", async () => {
    const { users } = backend;
    const [email, username, externalId] = [uniqueEmail(), unique("u"), unique("ext")];
    const metadata = { plan: "free", seats: 3, tags: ["a", null, true] };
    const { user } = await users.createUser({ email, username, externalId, metadata });
    const id = user?.id ?? "";
    const refs = [
      { case: "id", value: id },
      { case: "email", value: email.toUpperCase() },
      { case: "username", value: username },
      { case: "externalId", value: externalId },
    ] as const;
    const found = await Promise.all(refs.map((ref) => users.lookupUser({ user: { ref } })));
    const updated = await users.updateUser({
      userId: id,
      expectedVersion: user?.version ?? 0n,
      displayName: "Ada",
      username: "",
    });
    const stale = await refusal(
      users.updateUser({ userId: id, expectedVersion: user?.version ?? 0n, displayName: "Eve" }),
    );
    const unknownId = randomUUID();
    const { user: deleted } = await users.deleteUser({ userId: id });
    const batch = await users.batchGetUsers({ userIds: [unknownId, id] });

    expect(found.map(({ user: match }) => match?.id)).toEqual([id, id, id, id]);
    expect(found[0]?.user).toMatchObject({ email, emailVerified: false, metadata });
    expect(updated.user).toMatchObject({ displayName: "Ada", username: "", email, externalId });
    expect(stale).toMatchObject({
      code: "Aborted",
      reason: "VERSION_MISMATCH",
      metadata: { version: `${updated.user?.version}` },
    });
    expect(deleted).toMatchObject({ id, state: UserState.DELETED, email: "", displayName: "" });
    expect(deleted?.version).toBeGreaterThan(updated.user?.version ?? 0n);
    expect(batch.users).toEqual([deleted]);
    expect(batch.missingIds).toEqual([unknownId]);
    expect(await refusal(users.lookupUser({ user: { ref: refs[1] } }))).toMatchObject({
      code: "NotFound",
      reason: "USER_NOT_FOUND",
    });
  });

  test("streams a snapshot, then changes, then checkpoints, and resumes", async () => {
    const known = await signUp(backend);
    await using watch = openWatch(backend, { heartbeatSeconds: 1 });
    const hello = await watch.next("hello");
    const page = await watch.next("snapshotPage");
    const end = await watch.next("snapshotEnd");

    const { user } = await backend.users.createUser({ email: uniqueEmail() });
    const batch = await watch.next("changeBatch");
    const checkpoint = await watch.next("checkpoint");
    await watch[Symbol.asyncDispose]();
    await backend.users.deleteUser({ userId: user?.id ?? "" });
    await using resumed = openWatch(backend, { cursor: batch.cursor });
    const again = await resumed.next("hello");
    const missed = await resumed.next("changeBatch");

    expect(hello).toMatchObject({ siteId: site.siteId, snapshot: true, heartbeatSeconds: 1 });
    expect(page.users.map(({ id }) => id)).toContain(known.userId);
    expect(end.position).toBeGreaterThanOrEqual(end.tailPosition);
    expect(batch.changes.map((change) => change.user)).toEqual([user]);
    expect(batch.previousPosition).toBe(end.tailPosition);
    expect(checkpoint).toMatchObject({ position: batch.position, head: batch.position });
    expect(again.snapshot).toBe(false);
    expect(missed.changes).toHaveLength(1);
    expect(missed.changes[0]?.user).toMatchObject({ id: user?.id, state: UserState.DELETED });
    expect(missed.changes[0]?.position).toBe(batch.position + 1n);
  });
});
