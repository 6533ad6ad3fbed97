import { Pool } from "pg";
import { createSignetClient, createUserLink } from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", DATABASE_URL } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const pool = new Pool({ connectionString: DATABASE_URL });
pool.on("error", (error) => console.error(`an idle connection was lost: ${error.message}`));

const link = createUserLink({ pool, table: "dashboard.admin_users" });

async function signIn(email: string, password: string) {
  const identifier = { case: "email", value: email } as const;
  const { result } = await signet.auth.login({ identifier, password });
  if (result.case !== "session") return { next: "the second factor" };
  const { outcome } = await link.linkAtLogin(result.value);
  return { next: outcome === "no_row" ? "ask an administrator" : "welcome", outcome };
}

// With a row for whoever signs in first: both are there, or neither.
async function signInOrJoin(email: string, password: string) {
  const identifier = { case: "email", value: email } as const;
  const { result } = await signet.auth.login({ identifier, password });
  if (result.case !== "session" || !result.value.user) return { next: "the second factor" };
  const { user } = result.value;
  const transaction = await pool.connect();
  try {
    await transaction.query("begin");
    const { outcome } = await link.linkAtLogin(user, transaction);
    if (outcome === "no_row") {
      const insert = "insert into dashboard.admin_users (email, auth_user_id) values ($1, $2)";
      await transaction.query(insert, [user.email, user.id]);
    }
    await transaction.query("commit");
    return { next: "welcome", outcome };
  } catch (error) {
    await transaction.query("rollback");
    throw error;
  } finally {
    transaction.release();
  }
}

// What a web framework would call with a form: node examples/link-users.ts <address> <password>
const [email = "", password = "", mayJoin] = process.argv.slice(2);
const answer = mayJoin === "--join" ? signInOrJoin(email, password) : signIn(email, password);
console.log(JSON.stringify(await answer));
signet.close();
await pool.end();
