import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { UserOriginKind } from "../../gen/signet/v1/user_pb.ts";
import { type Clients, refusal, signUp, unique, uniqueEmail } from "../support/builders.ts";
import {
  countUsers,
  logInAt,
  type OwnSignet,
  openOwnSignet,
  peerEntry,
} from "../support/peered-sites.ts";
import { runSignetProcess } from "../support/programs.ts";
import { until } from "../support/waiting.ts";

const USERS = 450; // More than two pages.

/** B follows A, by one of two processes. */
let a: OwnSignet;
let b: OwnSignet;
let entry: object;
let first: readonly string[];

beforeAll(async () => {
  [a, b] = await Promise.all([openOwnSignet(), openOwnSignet()]);
  first = await createUsers(a.backend, USERS);
  const key = await a.peerKey([Scope.PEER, Scope.SYNC]);
  entry = await peerEntry(b, a, { key, sync: true });
  await b.restart([entry], 2);
}, 60_000);

afterAll(async () => {
  await Promise.all([a, b].map((signet) => signet[Symbol.asyncDispose]()));
});

describe("the sync from a peer", () => {
  test("takes all Users, once, without a password and roles of there", async () => {
    const environment = { SIGNET_URL: b.services[0]?.url ?? "", SIGNET_KEY: b.keys.operatorKey };

    const words = ["peer", "sync", "shop", "--timeout-seconds", "60", "--json"];
    const synced = await runSignetProcess(words, environment);

    expect(synced).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(synced.stdout)).toMatchObject({
      name: "shop",
      sync: { conflictCount: "0" },
    });
    const { count } = await b.backend.users.countUsers({});
    expect(count).toBe(BigInt(USERS));
    const user = await findAt(b, first[7] ?? "");
    expect(user).toMatchObject({
      displayName: "User 7",
      roles: ["user"],
      origin: { kind: UserOriginKind.PEER, source: "shop" },
    });
    expect(user?.passwordChangeTime).toBeUndefined();
  });

  test("brings later changes, and Users that are new", async () => {
    const ada = await signUp(a.backend);
    const copy = await until(() => findAt(b, ada.email));

    await a.backend.users.updateUser({ userId: ada.userId, displayName: "Ada L.", locale: "de" });

    const changed = await until(async () => {
      const user = await findAt(b, ada.email);
      return user?.displayName === "Ada L." && user;
    });
    expect(changed).toMatchObject({ id: copy.id, locale: "de" });
  });

  test("lets a User in by the password at the peer, then by that of the copy", async () => {
    const ada = await signUp(a.backend);
    const copy = await until(() => findAt(b, ada.email));

    const wrong = await refusal(logInAt(b.backend, { ...ada, password: "not the password" }));
    const { userId } = await logInAt(b.backend, ada);
    const again = await logInAt(b.backend, ada);

    expect(wrong.reason).toBe("LOGIN_FAILED");
    expect([userId, again.userId]).toEqual([copy.id, copy.id]);
    const { user } = await b.backend.users.getUser({ userId });
    expect(user?.passwordChangeTime).toBeDefined();
  });

  test("follows an address that changes, for who has signed in already", async () => {
    const ada = await signUp(a.backend);
    const { userId } = await until(() => logInAt(b.backend, ada));
    const email = uniqueEmail();

    await a.backend.users.updateUser({ userId: ada.userId, email, emailVerified: true });

    await until(() => findAt(b, email));
    expect(await logInAt(b.backend, { ...ada, email })).toEqual({ userId });
    expect(await countUsers(b, ada.email)).toBe(0);
  });

  test("leaves out who has an address of somebody here, and counts it", async () => {
    const email = uniqueEmail();
    const { user: own } = await b.backend.users.createUser({ email, displayName: "Own" });
    const { user: theirs } = await a.backend.users.createUser({ email, displayName: "Theirs" });

    await until(async () => (await syncOf(b))?.conflictCount === 1n);
    expect(await findAt(b, email)).toMatchObject({ id: own?.id, displayName: "Own" });

    const other = uniqueEmail();
    await a.backend.users.updateUser({ userId: theirs?.id ?? "", email: other });
    await until(() => findAt(b, other));
    expect((await syncOf(b))?.conflictCount).toBe(0n);
  });

  test("keeps who is deleted there, and leaves out who is deleted here", async () => {
    const [kept = "", gone = "", ...rest] = first;
    const there = await Promise.all([kept, gone].map((email) => findAt(a, email)));
    const here = await findAt(b, gone);
    await b.backend.users.deleteUser({ userId: here?.id ?? "" });

    await a.backend.users.deleteUser({ userId: there[0]?.id ?? "" });
    await a.backend.users.updateUser({ userId: there[1]?.id ?? "", displayName: "Back" });
    const last = await findAt(a, rest.at(-1) ?? "");
    await a.backend.users.updateUser({ userId: last?.id ?? "", displayName: "Last" });

    await until(async () => (await findAt(b, rest.at(-1) ?? ""))?.displayName === "Last");
    expect(await countUsers(b, kept)).toBe(1);
    expect(await countUsers(b, gone)).toBe(0);
  });

  test("goes on where it was when its process dies, and after the peer was away", async () => {
    const port = Number(new URL(a.services[0]?.url ?? "").port);
    await Promise.all(b.services.map((service) => service.stop("SIGKILL")));
    const ada = await signUp(a.backend);
    await a.stop();
    await b.restart([entry], 2);
    await a.restart([], 1, port);

    await until(() => findAt(b, ada.email), 60_000); // A lease outlives its process for a while.
  }, 90_000);

  test("does not come back to A from B", async () => {
    const before = (await a.backend.users.countUsers({})).count;
    const key = await b.peerKey([Scope.PEER, Scope.SYNC]);
    const url = a.services[0]?.url ?? "";
    await a.restart(
      [await peerEntry(a, b, { name: "b", key, sync: true })],
      1,
      Number(new URL(url).port),
    );

    const bob = await signUp(b.backend);

    await until(() => findAt(a, bob.email), 30_000);
    expect((await syncOf(a))?.conflictCount).toBe(0n);
    expect((await a.backend.users.countUsers({})).count).toBe(before + 2n); // Own is B's too.
  }, 60_000);
});

async function createUsers({ users }: Clients, count: number): Promise<string[]> {
  const emails = Array.from({ length: count }, () => `${unique("peer")}@example.com`);
  for (let begin = 0; begin < count; begin += 30) {
    await Promise.all(
      emails
        .slice(begin, begin + 30)
        .map((email, n) =>
          users.createUser({ email, emailVerified: true, displayName: `User ${begin + n}` }),
        ),
    );
  }
  return emails;
}

async function findAt({ backend }: OwnSignet, email: string) {
  const ref = { case: "email", value: email } as const;
  return (await backend.users.lookupUser({ user: { ref } }).catch(() => undefined))?.user;
}

async function syncOf({ operator }: OwnSignet) {
  const { peers } = await operator.sync.listPeers({});
  return peers[0]?.sync;
}
