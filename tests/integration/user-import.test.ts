import { pbkdf2Sync } from "node:crypto";
import * as argon2 from "argon2";
import * as bcrypt from "bcrypt";
import { afterAll, describe, expect, test } from "vitest";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { ImportMode } from "../../gen/signet/v1/user_service_pb.ts";
import { parseId, type SiteId } from "../../src/model/id.ts";
import { sql } from "../../src/store/sql.ts";
import { logIn, refusal, signUp, unique, uniqueEmail } from "../support/builders.ts";
import { encoded, importRows } from "../support/imports.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { site, database } = opened;
const { backend } = site;

const toSiteId = (text: string) => parseId<SiteId>(text, "site_id");
const PASSWORD = "correct horse battery";
const SALT = Buffer.from("0123456789abcdef");
/** The example that Firebase publishes for its variant of scrypt. */
const FIREBASE = {
  signerKey: Buffer.from(
    "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
    "base64",
  ),
  saltSeparator: Buffer.from("Bw==", "base64"),
  rounds: 8,
  memCost: 14,
};
const FIREBASE_USER = {
  salt: Buffer.from("42xEC+ixf3L2lw==", "base64"),
  hash: Buffer.from(
    "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
    "base64",
  ),
};

describe("an imported User signs in with the password it has", () => {
  test("whatever family the hash is of, and by a name where it has no address", async () => {
    const [byArgon, byBcrypt] = [
      encoded(await argon2.hash(PASSWORD, { memoryCost: 4_096 })),
      encoded(await bcrypt.hash(PASSWORD, 4)),
    ];
    const hashes = [
      byArgon,
      byBcrypt,
      {
        scheme: {
          case: "pbkdf2",
          value: {
            digest: "sha1",
            iterations: 1_000,
            salt: SALT,
            hash: pbkdf2Sync(PASSWORD, SALT, 1_000, 20, "sha1"),
          },
        },
      } as const,
    ];
    const people = hashes.map((passwordHash) => ({
      email: uniqueEmail(),
      emailVerified: true,
      passwordHash,
    }));
    const username = unique("nomail");
    const nobody = { username, externalId: unique("x"), passwordHash: byBcrypt };

    const results = await importRows(backend, [...people, nobody]);

    expect(results.map(({ outcome }) => outcome)).toEqual(Array(4).fill("CREATED"));
    for (const { email } of people) {
      await logIn(backend, email, PASSWORD);
      await logIn(backend, email, PASSWORD); // With the hash that the first login has made.
    }
    const identifier = { case: "username", value: username } as const;
    const { result } = await backend.auth.login({ identifier, password: PASSWORD });
    expect(result.case).toBe("session");
    const wrong = backend.auth.login({ identifier, password: "wrong horse battery" });
    expect((await refusal(wrong)).reason).toBe("LOGIN_FAILED");
  });

  test("made by Firebase, whose key is not in the database", async () => {
    const email = uniqueEmail();
    const passwordHash = { scheme: { case: "firebaseScrypt", value: FIREBASE_USER } } as const;

    const [result] = await importRows(backend, [{ email, emailVerified: true, passwordHash }], {
      firebase: FIREBASE,
    });
    const { rows } = await database.db.inSite(toSiteId(site.siteId), (tx) =>
      tx.query<{ password_hash: string }>(sql`
        select password_hash from signet.credentials where user_id = ${result?.userId}`),
    );

    expect(rows[0]?.password_hash).toMatch(/^\$firebase-scrypt-sealed\$n=14,r=8\$/);
    expect(rows[0]?.password_hash).not.toContain(FIREBASE.signerKey.toString("base64").slice(0, 8));
    await logIn(backend, email, "user1password");
  });
});

describe("a row that is wrong", () => {
  test("names its field and stops nothing else", async () => {
    const good = { email: uniqueEmail() };
    const rows = [
      { email: "not an address" },
      { email: uniqueEmail(), username: "-" },
      { email: uniqueEmail(), locale: "english!" },
      { email: uniqueEmail(), pictureUrl: "http://example.com/a.png" },
      { email: uniqueEmail(), roles: ["Not A Role"] },
      { displayName: "nobody" },
      { id: "7" },
      { email: uniqueEmail(), passwordHash: encoded("$1$salt$hash") },
      { email: uniqueEmail(), passwordHash: encoded(`$2b$31$${"a".repeat(53)}`) },
      { email: uniqueEmail(), passwordHash: encoded("$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$") },
      { email: uniqueEmail(), createTime: { seconds: 99_999_999_999n } },
      good,
    ];

    const results = await importRows(backend, rows);

    expect(results.map(({ outcome, field }) => `${outcome} ${field}`)).toEqual([
      "REFUSED email",
      "REFUSED username",
      "REFUSED locale",
      "REFUSED picture_url",
      "REFUSED roles",
      "REFUSED email",
      "REFUSED id",
      "REFUSED password_hash.encoded",
      "REFUSED password_hash",
      "REFUSED password_hash",
      "REFUSED create_time",
      "CREATED ",
    ]);
  });

  test("takes a name of another User, also of an earlier row", async () => {
    const [username, externalId] = [unique("ada"), unique("x")];
    const rows = [
      { email: uniqueEmail(), username },
      { email: uniqueEmail(), username },
      { email: uniqueEmail(), externalId },
      { externalId, email: uniqueEmail() },
    ];

    const results = await importRows(backend, rows);

    expect(results.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
      "CREATED ",
      "REFUSED USERNAME_TAKEN",
      "CREATED ",
      "UNCHANGED ",
    ]);
  });

  test.each([
    ["no options", [{ rows: [{ row: 1n, email: "a@example.com" }] }], "options"],
    ["options twice", [{ options: { source: "x" } }, { options: { source: "x" } }], "options"],
    ["no source", [{ options: {} }], "options.source"],
    [
      "numbers that fall",
      [{ options: { source: "x" } }, { rows: [{ row: 2n }, { row: 2n }] }],
      "rows.row",
    ],
    [
      "201 rows",
      [
        { options: { source: "x" } },
        { rows: Array.from({ length: 201 }, (_, n) => ({ row: BigInt(n + 1) })) },
      ],
      "rows",
    ],
  ])("but a stream with %s is refused", async (_name, messages, field) => {
    async function* send() {
      yield* messages;
    }
    const read = async () => {
      for await (const _ of backend.users.importUsers(send()));
    };

    expect(await refusal(read())).toMatchObject({
      code: "InvalidArgument",
      metadata: { field },
    });
  });
});

describe("a row whose User exists", () => {
  test("is unchanged the second time, found by id, by external id or by address", async () => {
    const [id, externalId, email] = [crypto.randomUUID(), unique("x"), uniqueEmail()];
    const rows = [{ id, username: unique("a") }, { externalId }, { email, emailVerified: true }];
    const hash = encoded(await bcrypt.hash(PASSWORD, 4));

    const first = await importRows(backend, rows);
    const second = await importRows(backend, rows);
    const third = await importRows(
      backend,
      rows.map((row) => ({ ...row, displayName: "Other", passwordHash: hash })),
    );
    const fourth = await importRows(
      backend,
      rows.map((row) => ({ ...row, displayName: "Other", passwordHash: hash })),
    );

    expect(first.map(({ outcome }) => outcome)).toEqual(["CREATED", "CREATED", "CREATED"]);
    expect(first[0]?.userId).toBe(id);
    expect(second).toEqual(first.map((result) => ({ ...result, outcome: "UNCHANGED" })));
    // A password is given to whoever has none, and nothing else is touched.
    expect(third.map(({ outcome }) => outcome)).toEqual(["UPDATED", "UPDATED", "UPDATED"]);
    expect(fourth.map(({ outcome }) => outcome)).toEqual(["UNCHANGED", "UNCHANGED", "UNCHANGED"]);
    const { user } = await backend.users.getUser({ userId: first[2]?.userId ?? "" });
    expect(user).toMatchObject({ displayName: "", version: BigInt(third[2]?.version ?? 0) });
  });

  test("keeps password and verified address under an update, which takes the rest", async () => {
    const ada = await signUp(backend);
    const externalId = unique("x");
    const row = {
      externalId,
      email: ada.email,
      emailVerified: true,
      displayName: "Ada L.",
      metadata: { plan: "gold" },
      roles: ["staff", "user"],
      passwordHash: encoded(await bcrypt.hash("another password", 4)),
    };

    const [result] = await importRows(backend, [row], { mode: ImportMode.UPDATE });

    expect(result).toMatchObject({ outcome: "UPDATED", userId: ada.userId });
    const { user } = await backend.users.getUser({ userId: ada.userId });
    expect(user).toMatchObject({
      externalId,
      displayName: "Ada L.",
      emailVerified: true,
      roles: ["staff", "user"],
      metadata: { plan: "gold" },
    });
    await logIn(backend, ada.email, ada.password);
  });

  test("gets no way in by an address that the other system has not verified", async () => {
    const [invited] = await importRows(backend, [{ email: uniqueEmail(), emailVerified: true }]);
    const { user: before } = await backend.users.getUser({ userId: invited?.userId ?? "" });
    const row = {
      externalId: unique("x"),
      email: before?.email ?? "",
      passwordHash: encoded(await bcrypt.hash(PASSWORD, 4)),
    };

    const [kept] = await importRows(backend, [row]);
    const [updated] = await importRows(backend, [row], { mode: ImportMode.UPDATE });
    expect([kept?.outcome, updated?.outcome]).toEqual(["UNCHANGED", "UNCHANGED"]);
    const { user: after } = await backend.users.getUser({ userId: invited?.userId ?? "" });
    expect(after).toEqual(before);
    const { reason } = await refusal(logIn(backend, row.email, PASSWORD));
    expect(reason).toBe("LOGIN_FAILED");
  });

  test("is disabled by an update, with all its Sessions", async () => {
    const ada = await signUp(backend);

    const row = { email: ada.email, disabled: true };
    await importRows(backend, [row]);
    const before = await backend.auth.validateToken({ token: ada.accessToken });
    await importRows(backend, [row], { mode: ImportMode.UPDATE });
    const refreshed = backend.auth.refreshToken({ refreshToken: ada.refreshToken });

    expect(before.result.case).toBe("valid");
    expect((await refusal(refreshed)).reason).toBe("REFRESH_TOKEN_INVALID");
    const { user } = await backend.users.enableUser({ userId: ada.userId });
    expect(user?.state).toBe(UserState.ACTIVE);
  });

  test("is a tombstone: its id is taken", async () => {
    const [made] = await importRows(backend, [{ email: uniqueEmail() }]);
    const id = made?.userId ?? "";
    await backend.users.deleteUser({ userId: id });

    const [result] = await importRows(backend, [{ id, email: uniqueEmail() }]);

    expect(result).toMatchObject({ outcome: "REFUSED", reason: "ID_TAKEN", field: "id" });
  });

  test("gives a name free for a later row", async () => {
    const [a, b] = [uniqueEmail(), uniqueEmail()];
    const [externalId, username] = [unique("x"), unique("ada")];
    await importRows(backend, [{ externalId, email: a, username }]);

    const results = await importRows(
      backend,
      [
        { externalId, email: b, username: unique("eve") },
        { email: a, username },
      ],
      { mode: ImportMode.UPDATE },
    );

    expect(results.map(({ outcome }) => outcome)).toEqual(["UPDATED", "CREATED"]);
  });
});
