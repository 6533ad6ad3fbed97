import { randomBytes } from "node:crypto";
import express, { type NextFunction, type Request, type Response } from "express";
import { createSignetClient, ErrorReason, reasonOf, type TokenPair } from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const { LIVE_DATA_URL = "http://127.0.0.1:3001" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });

/** The tokens of who is signed in. The browser has a random name for them, and nothing else. */
const signedIn = new Map<string, TokenPair>(); // In a real app: its store of sessions.

const app = express();
app.use(express.json());

app.post("/sign-in", async (request, response) => {
  const { email = "", password = "" } = request.body;
  const client = { ip: request.ip ?? "", userAgent: request.get("user-agent") ?? "" };
  const identifier = { case: "email", value: `${email}` } as const;
  const { result } = await signet.auth.login({ identifier, password: `${password}`, client });
  if (result.case !== "session" || !result.value.tokens) {
    response.status(403).json({ error: "a second factor comes next" });
    return;
  }
  const name = randomBytes(32).toString("base64url");
  signedIn.set(name, result.value.tokens);
  response.cookie("session", name, { httpOnly: true, sameSite: "lax", secure: request.secure });
  response.json({ userId: result.value.session?.userId });
});

app.post("/sign-out", async (request, response) => {
  const { refreshToken = "" } = signedIn.get(sessionOf(request)) ?? {};
  signedIn.delete(sessionOf(request));
  if (refreshToken) await signet.auth.logout({ refreshToken });
  response.json({ next: "sign in" });
});

app.get("/trades", async (request, response) => {
  await pass(await callLiveData(request, "/trades"), response);
});

app.post("/trades", async (request, response) => {
  const { symbol, quantity } = request.body;
  const body = JSON.stringify({ symbol, quantity });
  await pass(await callLiveData(request, "/trades", { method: "POST", body }), response);
});

/** Calls the second service in the name of who is signed in. */
async function callLiveData(request: Request, path: string, how: RequestInit = {}) {
  const tokens = await freshTokens(sessionOf(request));
  if (!tokens) return undefined;
  const own = { headers: { authorization: `Bearer ${tokens.accessToken}` } };
  const audience = { audience: "live-data", lifetimeSeconds: 60 };
  const { accessToken } = await signet.auth.exchangeToken(audience, own);
  const headers = { authorization: `Bearer ${accessToken}`, "content-type": "application/json" };
  return await fetch(`${LIVE_DATA_URL}${path}`, { ...how, headers });
}

/** Returns tokens that are good for half a minute at least; undefined: nobody is signed in. */
async function freshTokens(name: string): Promise<TokenPair | undefined> {
  const tokens = signedIn.get(name);
  const endMs = Number(tokens?.accessTokenExpireTime?.seconds ?? 0) * 1_000;
  if (!tokens || endMs > Date.now() + 30_000) return tokens;
  const { tokens: next } = await signet.auth.refreshToken({ refreshToken: tokens.refreshToken });
  if (next) signedIn.set(name, next);
  return next;
}

function sessionOf({ headers }: Request): string {
  return /(?:^|; )session=([\w-]+)/.exec(headers.cookie ?? "")?.[1] ?? "";
}

async function pass(answer: globalThis.Response | undefined, response: Response): Promise<void> {
  if (answer) response.status(answer.status).json(await answer.json());
  else response.status(401).json({ error: "sign in" });
}

/** What is not of these reasons is the app's own trouble, and nobody else's business. */
const REFUSALS: { readonly [reason in ErrorReason]?: readonly [number, string] } = {
  [ErrorReason.LOGIN_FAILED]: [401, "wrong address or password"],
  [ErrorReason.EMAIL_UNVERIFIED]: [403, "read your mail first"],
  [ErrorReason.CREDENTIAL_INVALID]: [401, "sign in"],
  [ErrorReason.REFRESH_TOKEN_INVALID]: [401, "sign in"],
  [ErrorReason.RATE_LIMITED]: [429, "try again later"],
};

app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
  const reason = reasonOf(error);
  const [status, text] = REFUSALS[reason ?? ErrorReason.UNSPECIFIED] ?? [
    500,
    "something went wrong",
  ];
  if (status === 500) console.error(error);
  response.status(status).json({ error: text });
});

const server = app.listen(Number(PORT), "127.0.0.1", () => console.log("the app is ready"));
process.once("SIGTERM", () => {
  server.close();
  signet.close();
});
