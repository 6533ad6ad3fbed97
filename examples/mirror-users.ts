import { Pool } from "pg";
import { createSignetClient, createUserMirror } from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", DATABASE_URL } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const pool = new Pool({ connectionString: DATABASE_URL });
pool.on("error", (error) => console.error(`an idle connection was lost: ${error.message}`));

// What the app itself knows of a user; the mirror never writes here but for `onCreate` below.
await pool.query(`create table if not exists accounts (
  user_id uuid primary key, plan_tier text not null, since timestamptz not null default now())`);

// Keeps public.users equal to the Users of the Site. Run it twice: one leads, one stands by.
const mirror = createUserMirror({
  client: signet,
  pool,
  table: "public.users",
  async onCreate(transaction, users) {
    const ids = users.map(({ id }) => id);
    const insert = "insert into accounts (user_id, plan_tier) select unnest($1::uuid[]), 'free'";
    await transaction.query(insert, [ids]);
  },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void mirror.close());

// Waits for nothing: the mirror works by itself, and tells here what it is doing.
for await (const status of mirror.status) {
  if (status.type === "snapshot") console.log(`snapshot: ${status.received} of ${status.total}`);
  else if (status.type === "reconnecting") console.log(`waits ${status.delayMs} ms`, status.error);
  else if (status.type === "closed") console.log("closed", status.error ?? "");
  else console.log(status.type);
}
signet.close();
await pool.end();
