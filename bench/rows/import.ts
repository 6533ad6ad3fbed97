import type { MessageInitShape } from "@bufbuild/protobuf";
import { Client } from "pg";
import {
  ImportOutcome,
  type ImportRowSchema,
  type ImportUsersRequestSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { createSignetClient } from "../../src/client/index.ts";
import { createSiteKey } from "../bench-service.ts";
import { fewRounds, playRounds } from "../rounds.ts";
import type { Bench, Row } from "../row.ts";
import { copyTable } from "../yardsticks/copy-table.ts";

const IMPORT = "users: import with password hashes";
const ROWS_PER_MESSAGE = 200;

/**
 * How many Users a second ImportUsers takes in, each with the hash of a password: from the first
 * row until the result of the last, with all Changes in the outbox. Beside it: COPY of the same
 * rows into tables with the same columns and indexes, but no trigger, policy or foreign key.
 */
export const importUsers: Row = {
  names: [IMPORT],
  async measure(bench) {
    let round = 0;
    let siteId = "";
    const { signet, copy } = await playRounds(fewRounds(bench.rounds), {
      async signet() {
        round += 1;
        const imported = await importOnce(bench, `import-${round}.example.com`);
        siteId = imported.siteId;
        return imported.perSecond;
      },
      copy: async () => await copyOnce(bench, siteId || (await importOnce(bench, FIRST)).siteId),
    });
    const yardstick = { name: "COPY", samples: copy };
    return [{ row: IMPORT, unit: "writes/s", samples: signet, yardstick, goal: 0.3 }];
  },
};

const FIRST = "first-import.example.com";

async function importOnce({ service, userCount }: Bench, domain: string) {
  const { siteId, secret } = await createSiteKey(service.url, service.operatorKey, domain);
  await query(service.databaseUrl, "checkpoint");
  const client = createSignetClient({ url: service.url, key: secret });
  try {
    const beginMs = performance.now();
    let created = 0;
    for await (const { results } of client.users.importUsers(messages(userCount))) {
      created += results.filter(({ outcome }) => outcome === ImportOutcome.CREATED).length;
    }
    const seconds = (performance.now() - beginMs) / 1_000;
    if (created !== userCount) throw new Error(`${created} Users of ${userCount} were imported`);
    return { siteId, perSecond: userCount / seconds };
  } finally {
    client.close();
  }
}

function* rows(userCount: number): Generator<MessageInitShape<typeof ImportRowSchema>> {
  for (let n = 1; n <= userCount; n += 1) {
    const text = String(n).padStart(9, "0");
    yield {
      row: BigInt(n),
      externalId: `auth0|5f7c8ec7c33c6c004${text}`,
      email: `user${text}@example.com`,
      emailVerified: true,
      username: `user${text}`,
      displayName: `User Number ${n}`,
      pictureUrl: `https://pictures.example.com/${n}.png`,
      locale: "en",
      ...(n % 4 === 0 && { metadata: { plan: "free" } }),
      // Never checked here, but read like every other.
      passwordHash: {
        scheme: {
          case: "encoded",
          value: `$2b$10$${"abcdefghijklmnopqrstuv"}${"x".repeat(22)}${text}`,
        },
      },
    };
  }
}

async function* messages(
  userCount: number,
): AsyncGenerator<MessageInitShape<typeof ImportUsersRequestSchema>> {
  yield { options: { source: "bench" } };
  let batch: MessageInitShape<typeof ImportRowSchema>[] = [];
  for (const row of rows(userCount)) {
    if (batch.push(row) < ROWS_PER_MESSAGE) continue;
    yield { rows: batch };
    batch = [];
  }
  if (batch.length > 0) yield { rows: batch };
}

/** Copies the rows of a Site from tables without indexes, and returns how many a second. */
async function copyOnce({ service, userCount }: Bench, siteId: string): Promise<number> {
  const { databaseUrl: url } = service;
  await query(url, prepareCopy(siteId));
  let ms = 0;
  for (const [table, columns] of Object.entries(TABLES)) {
    ms += await copyTable({
      fromUrl: url,
      fromStatement: `copy imported_${table} (${columns}) to stdout`,
      toUrl: url,
      toStatement: `copy copied_${table} (${columns}) from stdin`,
    });
  }
  return userCount / (ms / 1_000);
}

const TABLES = {
  users: `
    site_id, id, version, email, email_verified, username, display_name, picture_url, locale,
    roles, state, mfa_enabled, password_change_time, external_id, metadata, origin_kind,
    origin_source, origin_user_id, origin_arrive_time, create_time, update_time,
    deletion_protected`,
  credentials: "site_id, user_id, password_hash, pepper_version",
};

function prepareCopy(siteId: string): string {
  const tables = Object.entries(TABLES).map(
    ([table, columns]) => `
      drop table if exists imported_${table}, copied_${table};
      create table imported_${table} as
        select ${columns} from signet.${table} where site_id = '${siteId}';
      create table copied_${table} (like signet.${table} including all);`,
  );
  return `${tables.join("\n")} checkpoint`;
}

async function query(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
