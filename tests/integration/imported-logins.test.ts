import { createCipheriv, pbkdf2Sync, scryptSync } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import * as argon2 from "argon2";
import { afterAll, describe, expect, test } from "vitest";
import type { PasswordHashSchema } from "../../gen/signet/v1/user_service_pb.ts";
import { parseId, type SiteId } from "../../src/model/id.ts";
import { sql } from "../../src/store/sql.ts";
import { createKey, createSite, grpcClients, logIn, refusal } from "../support/builders.ts";
import { encoded, importRows } from "../support/imports.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { operator, service, database, site } = opened;

const PASSWORD = "pässword of then";
const SALT = Buffer.from("0123456789abcdef");
const base64 = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");
const passlib = (bytes: Buffer) => base64(bytes).replaceAll("+", ".");
const derived = (digest: string, bytes: number) => pbkdf2Sync(PASSWORD, SALT, 1_000, bytes, digest);

type Hash = MessageInitShape<typeof PasswordHashSchema>;

/** A project of Firebase's with parameters of its own. */
const FIREBASE = {
  signerKey: Buffer.from("the signer key of a whole project, as long as it likes to be"),
  saltSeparator: Buffer.from([7, 1]),
  rounds: 4,
  memCost: 10,
};

const HASHES: readonly (readonly [name: string, hash: Hash])[] = [
  ["scrypt", encoded(`$scrypt$ln=11,r=8,p=2$${base64(SALT)}$${base64(scrypted())}`)],
  ["PBKDF2", encoded(`$pbkdf2-sha512$i=1000$${base64(SALT)}$${base64(derived("sha512", 64))}`)],
  [
    "PBKDF2 by passlib",
    encoded(`$pbkdf2-sha256$1000$${passlib(SALT)}$${passlib(derived("sha256", 32))}`),
  ],
  ["PBKDF2 in parts", inParts()],
  ["argon2i", encoded(await argon2.hash(PASSWORD, { memoryCost: 4_096, type: argon2.argon2i }))],
  ["Firebase", firebaseHash()],
];

describe.each(HASHES)("an imported hash of %s", (name, passwordHash) => {
  const email = `${name.toLowerCase().replaceAll(" ", ".")}@example.com`;
  const row = { email, emailVerified: true, passwordHash };

  test("lets its User in with the right password alone, and becomes Signet's own", async () => {
    const [result] = await importRows(site.backend, [row], { firebase: FIREBASE });
    const userId = result?.userId ?? "";
    const imported = await readHash(userId);

    const wrong = await refusal(logIn(site.backend, email, `${PASSWORD}.`));
    const unchanged = await readHash(userId);
    await logIn(site.backend, email, PASSWORD);

    expect(result?.outcome).toBe("CREATED");
    expect(wrong.reason).toBe("LOGIN_FAILED");
    expect(unchanged).toEqual(imported);
    expect(imported?.pepper).toBe(0);
    expect(await readHash(userId)).toMatchObject({
      hash: expect.stringMatching(/^\$argon2id\$v=19\$m=19456,/),
      pepper: 1,
    });
    await logIn(site.backend, email, PASSWORD);
  });
});

test("a hash with a pepper, as a Signet exports it, lets in at another Site", async () => {
  const email = "peppered@example.com";
  const plain = encoded(await argon2.hash(PASSWORD, { memoryCost: 4_096 }));
  await importRows(site.backend, [{ email, emailVerified: true, passwordHash: plain }]);
  await logIn(site.backend, email, PASSWORD);
  const exported = await exportedHash(email);
  const elsewhere = grpcClients(service.url, await createKey(operator, await createSite(operator)));
  const row = { email, emailVerified: true };

  const [unknown, known] = await importRows(elsewhere, [
    { ...row, email: `un${email}`, passwordHash: withPepper(exported, 9) },
    { ...row, passwordHash: withPepper(exported, exported.pepperVersion) },
  ]);

  expect(unknown).toMatchObject({ outcome: "REFUSED", field: "password_hash" });
  expect(known?.outcome).toBe("CREATED");
  await logIn(elsewhere, email, PASSWORD);
  expect((await refusal(logIn(elsewhere, email, "another password"))).reason).toBe("LOGIN_FAILED");
});

function scrypted(): Buffer {
  return scryptSync(PASSWORD, SALT, 64, { N: 2 ** 11, r: 8, p: 2 });
}

function inParts(): Hash {
  const value = { digest: "sha256", iterations: 1_000, salt: SALT, hash: derived("sha256", 48) };
  return { scheme: { case: "pbkdf2", value } };
}

/** Encrypts the signer key under what scrypt makes of the password, as Firebase does. */
function firebaseHash(): Hash {
  const { signerKey, saltSeparator, rounds: r, memCost } = FIREBASE;
  const salted = Buffer.concat([SALT, saltSeparator]);
  const key = scryptSync(PASSWORD, salted, 32, { N: 2 ** memCost, r, p: 1 });
  const hash = createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(signerKey);
  return { scheme: { case: "firebaseScrypt", value: { salt: SALT, hash } } };
}

interface PepperedHash {
  readonly encoded: string;
  readonly pepperVersion: number;
}

function withPepper(given: PepperedHash, pepperVersion: number): Hash {
  return { scheme: { case: "peppered", value: { encoded: given.encoded, pepperVersion } } };
}

async function exportedHash(email: string): Promise<PepperedHash> {
  const request = { siteId: site.siteId, includePasswordHashes: true };
  for await (const { users } of operator.users.exportUsers(request)) {
    const scheme = users.find(({ user }) => user?.email === email)?.passwordHash?.scheme;
    if (scheme?.case === "peppered") return scheme.value;
  }
  throw new Error("the hash that the login has made is not peppered");
}

async function readHash(userId: string) {
  const siteId = parseId<SiteId>(site.siteId, "site_id");
  const { rows } = await database.db.inSite(siteId, (tx) =>
    tx.query<{ readonly hash: string; readonly pepper: number }>(sql`
      select password_hash as hash, pepper_version as pepper
        from signet.credentials where site_id = ${siteId} and user_id = ${userId}`),
  );
  return rows[0];
}
