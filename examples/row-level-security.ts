import express, { type NextFunction, type Request, type Response } from "express";
import { Pool } from "pg";
import {
  createExpressMiddleware,
  createSignetClient,
  principalOf,
  withUser,
} from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const verifier = signet.tokenVerifier({ audience: "live-data" });
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
pool.on("error", (error) => console.error(`an idle connection was lost: ${error.message}`));

const app = express();
app.get("/healthz", (_request, response) => void response.json({ status: "alive" }));
app.use(createExpressMiddleware({ verifier }), express.json());

app.get("/trades", async (request, response) => {
  const trades = await withUser(pool, principalOf(request), async (db) => {
    const { rows } = await db.query("select id, symbol, quantity from trades order by id");
    return rows;
  });
  response.json({ trades });
});

app.post("/trades", async (request, response) => {
  const { symbol, quantity } = request.body;
  const id = await withUser(pool, principalOf(request), async (db) => {
    const insert = "insert into trades (symbol, quantity) values ($1, $2) returning id";
    const { rows } = await db.query<{ id: string }>(insert, [symbol, quantity]);
    return rows[0]?.id;
  });
  response.status(201).json({ id });
});

// What went wrong is for the log, and nobody else's business.
app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
  const isBadRequest = "status" in error && error.status === 400;
  if (!isBadRequest) console.error(error);
  const answer = isBadRequest ? "the body is no JSON" : "something went wrong";
  response.status(isBadRequest ? 400 : 500).json({ error: answer });
});

const server = app.listen(Number(PORT), "127.0.0.1", () => console.log("the app is ready"));
process.once("SIGTERM", () => {
  server.close(() => void pool.end());
  signet.close();
});
