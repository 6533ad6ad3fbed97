import express from "express";
import { Pool } from "pg";
import {
  createExpressMiddleware,
  createSignetClient,
  createUserMirror,
  ErrorReason,
  principalOf,
  reasonOf,
} from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const { DATABASE_URL, MIRROR_DATABASE_URL, VALIDATION_SECONDS = "300" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const log = (text: string, error: unknown = "") => console.error(text, error);

// Two accounts of one database: this backend's, which may read the Mirror and write its own
// columns, and that of the Mirror, which owns the table.
const pool = new Pool({ connectionString: DATABASE_URL });
const mirrorPool = new Pool({ connectionString: MIRROR_DATABASE_URL, max: 4 });
for (const each of [pool, mirrorPool]) each.on("error", (error) => log("connection lost", error));

const mirror = createUserMirror({
  client: signet,
  pool: mirrorPool,
  table: "public.userbase",
  onEvent: (event) => log(`mirror: ${event.type}`, event),
});
const verifier = signet.tokenVerifier({
  audience: "backend",
  maxStalenessSeconds: Number(VALIDATION_SECONDS),
});

/** The User with what this backend knows of them; fetched now if the Mirror has yet to hear. */
async function findUser(userId: string) {
  const read = `select u.id, u.email, u.plan_tier, u.app_role, s.theme
                  from userbase u join settings s on s.user_id = u.id
                 where u.id = $1 and not u.deleted`;
  const { rows } = await pool.query(read, [userId]);
  if (rows.length > 0 || !(await mirror.ensureUser(userId))) return rows[0];
  return (await pool.query(read, [userId])).rows[0];
}

const app = express();

app.post("/login", express.json(), async (request, response) => {
  const { email, password } = request.body;
  const identifier = { case: "email", value: email } as const;
  const { result } = await signet.auth.login({ identifier, password, audiences: ["backend"] });
  if (result.case !== "session") return void response.status(403).json({ next: result.case });
  const { user, tokens } = result.value;
  const { accessToken, refreshToken } = tokens ?? {};
  response.json({ accessToken, refreshToken, user: await findUser(user?.id ?? "") });
});

app.get("/health", async (_request, response) => {
  const [{ health }, compared, counted, foreignWrites] = await Promise.all([
    signet.sync.getSyncHealth({}),
    mirror.reconcile({ repair: false }),
    pool.query("select count(*)::int as users from userbase where not deleted"),
    mirror.foreignWrites(),
  ]);
  const { activeCount = 0n, invitedCount = 0n, disabledCount = 0n } = health?.users ?? {};
  const there = Number(activeCount + invitedCount + disabledCount);
  const { missing, stale, extra } = compared;
  const problems = health?.problems.length ?? 0;
  const healthy = missing + stale + extra + problems === 0;
  const users = { there, here: counted.rows[0].users, missing, stale, extra };
  const figures = { users, problems, foreignWrites: Number(foreignWrites) };
  response.status(healthy ? 200 : 503).json({ healthy, ...figures });
});

// From here on, nothing is reached without a token that Signet stands by.
app.use(createExpressMiddleware({ verifier, passErrors: true }));

app.get("/me", async (request, response) => {
  const user = await findUser(principalOf(request).userId);
  response.status(user ? 200 : 404).json(user ?? {});
});

app.put("/plan", express.json(), async (request, response) => {
  const update = "update userbase set plan_tier = $2 where id = $1";
  await pool.query(update, [principalOf(request).userId, request.body.planTier]);
  response.json(await findUser(principalOf(request).userId));
});

app.put("/password", express.json(), async (request, response) => {
  const { currentPassword, newPassword } = request.body;
  const { authorization = "" } = request.headers;
  const change = { currentPassword, newPassword };
  await signet.auth.changePassword(change, { headers: { authorization } });
  response.status(204).end();
});

// Whatever cannot be told is refused, and noted.
app.use((error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
  const wrong = reasonOf(error) === ErrorReason.LOGIN_FAILED;
  const status = error instanceof Error && "status" in error ? Number(error.status) : 503;
  log("refused", error);
  response.status(wrong ? 401 : status).json({ error: wrong ? "login failed" : "refused" });
});

await mirror.waitUntilFilled();
const server = app.listen(Number(PORT), "127.0.0.1", () => console.log("the app is ready"));
process.once("SIGTERM", () => void stop());

async function stop(): Promise<void> {
  server.close();
  await mirror.close();
  signet.close();
  await Promise.all([pool.end(), mirrorPool.end()]);
}
