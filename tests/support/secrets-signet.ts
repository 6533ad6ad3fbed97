import { randomBytes, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "./database.ts";
import { callJson } from "./json-call.ts";
import { type SecretMailbox, startSecretMailbox } from "./secrets-mailbox.ts";
import { createSecretsVault, type SecretsVault } from "./secrets-vault.ts";
import { createServiceKeys, startService, type TestService } from "./service.ts";
import { startReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

/** A service that logs everything, whose secrets are all known. */
export interface SecretsSignet extends AsyncDisposable {
  readonly service: TestService;
  readonly vault: SecretsVault;
  readonly mailbox: SecretMailbox;
  readonly receiver: WebhookReceiver;
  /** Whatever was answered to calls that failed. */
  readonly errors: string[];
  /** Calls an RPC by JSON, and notes the answer if it is an error. */
  call(rpc: string, message: object, credential?: string): Promise<Readonly<Record<string, never>>>;
  /** The rows of every table as text, and the files of the database where they can be read. */
  dump(): Promise<readonly Buffer[]>;
}

/** Starts it, with a secret in every variable that holds one. */
export async function openSecretsSignet(): Promise<SecretsSignet> {
  const vault = createSecretsVault();
  const database = await openTestDatabase();
  const mailbox = await startSecretMailbox(vault.plant("the mail server's password", fresh()));
  const receiver = await startReceiver();
  const keys = createServiceKeys();
  const [first, second] = [randomBytes(32), randomBytes(32)];
  vault.plant("the first master key", first);
  vault.plant("the second master key", second);
  vault.plant("the operator key", keys.operatorKey);
  vault.plant("the application role's password", new URL(database.appUrl).password);
  vault.plant("the migrator's password", new URL(database.ownerUrl).password);
  const peer = `sgn_site_${randomBytes(48).toString("base64url")}`;
  const service = await startService({
    databaseUrl: database.appUrl,
    keys: {
      ...keys,
      masterKeys: `1:${first.toString("base64")},2:${second.toString("base64")}`,
    },
    env: {
      LOG_LEVEL: "trace",
      DATABASE_OWNER_URL: database.ownerUrl,
      SMTP_URL: mailbox.url,
      SMTP_FROM: "Signet <signet@example.com>",
      SIGNET_INTERNAL_HOSTS: "127.0.0.1",
      SIGNET_RATE_LIMIT_PERCENT: "100000",
      SIGNET_FORWARD_AUTH_COOKIE: "session",
      SIGNET_PEERS: JSON.stringify([
        {
          name: "away",
          url: "http://127.0.0.1:1",
          key: vault.plant("the key at a Peer", peer),
          site_id: randomUUID(),
        },
      ]),
    },
  });
  const errors: string[] = [];
  return {
    service,
    vault,
    mailbox,
    receiver,
    errors,
    async call(rpc, message, credential) {
      const { status, body, headers, json } = await callJson(
        service.url,
        `signet.v1.${rpc}`,
        message,
        credential,
      );
      if (status !== 200) errors.push(`${rpc} ${JSON.stringify(headers)} ${body}`);
      return json as Readonly<Record<string, never>>;
    },
    dump: () => dumpOf(database),
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await receiver[Symbol.asyncDispose]();
      await mailbox[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** A secret that no other test has, in letters that are written differently in JSON and in URLs. */
export function fresh(): string {
  return `${randomBytes(12).toString("base64url")} "ü"/${randomBytes(12).toString("base64url")}`;
}

async function dumpOf({ adminUrl }: TestDatabase): Promise<Buffer[]> {
  const tables = await runAsAdmin<{ name: string }>(
    adminUrl,
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const dumps: Buffer[] = [];
  for (const { name } of tables) {
    const rows = await runAsAdmin<{ text: string }>(adminUrl, `select t::text from ${name} as t`);
    dumps.push(Buffer.from(rows.map(({ text }) => text).join("\n")));
  }
  return [...dumps, ...(await filesOf(adminUrl))];
}

/** The files have what was deleted as well; another account's may not be readable. */
async function filesOf(adminUrl: string): Promise<Buffer[]> {
  await runAsAdmin(adminUrl, "checkpoint");
  const [place] = await runAsAdmin<{ folder: string }>(
    adminUrl,
    `select current_setting('data_directory') || '/base/' || oid as folder
       from pg_database where datname = current_database()`,
  );
  const names = await readdir(place?.folder ?? "").catch(() => []);
  return await Promise.all(names.map((name) => readFile(join(place?.folder ?? "", name))));
}
