import { pbkdf2Sync } from "node:crypto";
import * as argon2 from "argon2";
import * as bcrypt from "bcrypt";

/** A file as another system exports it, and who signs in with what afterwards. */
export interface ExportFile {
  readonly name: string;
  readonly text: string;
  readonly people: readonly { readonly email: string; readonly password: string }[];
}

const PASSWORD = "correct horse battery";
const SALT = Buffer.from("0123456789abcdef");

/** The files of a customer of each system; every hash is real. */
export async function exportFiles(): Promise<Readonly<Record<string, ExportFile>>> {
  const hash = await bcrypt.hash(PASSWORD, 4);
  return {
    auth0: auth0File(hash),
    keycloak: await keycloakFile(),
    firebase: firebaseFile(),
    supabase: supabaseFile(hash),
  };
}

const SIGNER_KEY =
  "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";

/** What the console of Firebase shows; the example that Firebase publishes. */
export const FIREBASE_CONFIG = `hash_config {
  algorithm: SCRYPT,
  base64_signer_key: ${SIGNER_KEY},
  base64_salt_separator: Bw==,
  rounds: 8,
  mem_cost: 14,
}
`;

function auth0File(hash: string): ExportFile {
  const email = "auth0@example.com";
  const lines = [
    {
      user_id: "auth0|60425dc43519d90068f82973",
      email,
      email_verified: true,
      name: email,
      nickname: "ada",
      picture: "https://pictures.example.com/ada.png",
      created_at: "2021-03-05T16:32:11.911Z",
      user_metadata: { plan: "gold" },
    },
    // The hashes come in a file of their own, which may be appended.
    {
      _id: { $oid: "60425dc43519d90068f82973" },
      email,
      email_verified: true,
      passwordHash: hash,
      password_set_date: { $date: "2021-03-05T16:32:11.911Z" },
      tenant: "shop",
      connection: "Username-Password-Authentication",
    },
    { user_id: "auth0|6", email: "broken" },
  ];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  return { name: "auth0.ndjson", text, people: [{ email, password: PASSWORD }] };
}

async function keycloakFile(): Promise<ExportFile> {
  const argon2Hash = await argon2.hash(PASSWORD, {
    type: argon2.argon2id,
    memoryCost: 7_168,
    timeCost: 5,
    parallelism: 1,
    salt: SALT,
    raw: true,
  });
  const pbkdf2Hash = pbkdf2Sync(PASSWORD, SALT, 27_500, 64, "sha256");
  const user = (name: string, algorithm: object, value: Buffer) => ({
    id: crypto.randomUUID(),
    createdTimestamp: 1_600_000_000_000,
    username: name,
    enabled: true,
    emailVerified: true,
    firstName: "Ada",
    lastName: 'of "users": [ fame',
    email: `${name}@example.com`,
    credentials: [
      {
        type: "password",
        secretData: JSON.stringify({
          value: value.toString("base64"),
          salt: SALT.toString("base64"),
          additionalParameters: {},
        }),
        credentialData: JSON.stringify(algorithm),
      },
    ],
    realmRoles: ["default-roles-shop", "admin"],
  });
  const parameters = {
    hashLength: ["32"],
    memory: ["7168"],
    type: ["id"],
    version: ["1.3"],
    parallelism: ["1"],
  };
  const realm = {
    realm: "shop",
    roles: { realm: [{ name: "users" }], users: [{ name: "none" }] },
    users: [
      user(
        "kc.argon",
        { hashIterations: 5, algorithm: "argon2", additionalParameters: parameters },
        argon2Hash,
      ),
      user("kc.pbkdf", { hashIterations: 27_500, algorithm: "pbkdf2-sha256" }, pbkdf2Hash),
      user("kc.broken", { hashIterations: 1, algorithm: "rot13" }, pbkdf2Hash),
    ],
    clients: [{ id: "not a User" }],
  };
  const emails = ["kc.argon@example.com", "kc.pbkdf@example.com"];
  return {
    name: "realm.json",
    text: JSON.stringify(realm, undefined, 2),
    people: emails.map((email) => ({ email, password: PASSWORD })),
  };
}

function firebaseFile(): ExportFile {
  const email = "firebase@example.com";
  const users = [
    {
      localId: "zIwp1Q6pP2O6Cxh4DI",
      email,
      emailVerified: true,
      passwordHash:
        "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
      salt: "42xEC+ixf3L2lw==",
      displayName: "Ada L.",
      createdAt: "1486324766000",
      providerUserInfo: [],
    },
    { localId: "broken", email: "broken" },
  ];
  return {
    name: "firebase.json",
    text: JSON.stringify({ users }),
    people: [{ email, password: "user1password" }],
  };
}

function supabaseFile(hash: string): ExportFile {
  const email = "supabase@example.com";
  const text = [
    "id,email,encrypted_password,email_confirmed_at,created_at,raw_user_meta_data,banned_until",
    `${crypto.randomUUID()},${email},${hash},2023-01-02 03:04:05.678+00,2023-01-02 03:04:05+00,` +
      `"{""full_name"": ""Ada, ` +
      `L.""}",`,
    `${crypto.randomUUID()},broken,,,2023-01-02 03:04:05+00,{},`,
    "",
  ].join("\n");
  return { name: "users.csv", text, people: [{ email, password: PASSWORD }] };
}
