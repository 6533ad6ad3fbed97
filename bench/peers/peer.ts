import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { Client } from "pg";
import { poolSizeFor } from "../../src/crypto/hash-threads.ts";
import { forkChild } from "../child-process.ts";
import type { Bench } from "../row.ts";

/** What the comparison needs of a bench. */
export type PeerBench = Pick<Bench, "service" | "rounds" | "roundMs" | "resources">;

/** An app with better-auth, and the cookies of somebody who has signed in. */
export interface Peer {
  readonly url: string;
  readonly cookie: string;
}

interface PeerOrder {
  readonly databaseUrl: string;
  readonly secret: string;
  readonly cookieCache: boolean;
}

const PROGRAM = new URL("./better-auth.mjs", import.meta.url);
/**
 * How many Users each has besides the one who signs in: as many as the smaller Site of the rows of
 * Users.
 */
export const OTHER_USERS = 10_000;

/** Starts better-auth on a database of its own in Signet's PostgreSQL, with as many users. */
export async function startPeer(
  { service, resources }: PeerBench,
  cookieCache: boolean,
): Promise<Peer> {
  const name = cookieCache ? "better_auth_cached" : "better_auth";
  await run(service.databaseUrl, `create database ${name}`);
  const databaseUrl = new URL(service.databaseUrl);
  databaseUrl.pathname = `/${name}`;
  // As many threads as Signet has: read by the child when it begins.
  process.env.UV_THREADPOOL_SIZE = `${poolSizeFor(availableParallelism())}`;
  const child = resources.use(forkChild<PeerOrder, { readonly url: string }>(PROGRAM));
  const secret = randomBytes(32).toString("base64url");
  const { url } = await child.ask({ databaseUrl: databaseUrl.href, secret, cookieCache });
  await run(databaseUrl.href, INSERT);
  const { email, password } = service.user;
  await post(`${url}/api/auth/sign-up/email`, { name: "Ada", email, password });
  const cookie = await post(`${url}/api/auth/sign-in/email`, { email, password });
  await requireSession(url, cookie, email);
  if (cookie.includes("session_data") !== cookieCache) throw new Error("the cache is not as asked");
  await run(databaseUrl.href, "vacuum (analyze)");
  return { url, cookie };
}

const INSERT = `
  insert into "user" (id, name, email, "emailVerified", "createdAt", "updatedAt")
  select 'user' || n, 'User Number ' || n, 'user' || n || '@example.com', true, now(), now()
    from generate_series(1, ${OTHER_USERS}) as n`;

async function run(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

/** Without a Session the answer would be the same 200, and faster. */
async function requireSession(url: string, cookie: string, email: string): Promise<void> {
  const answer = await fetch(`${url}/api/auth/get-session`, { headers: { cookie } });
  const session = (await answer.json()) as { readonly user?: { readonly email?: string } } | null;
  if (session?.user?.email !== email) throw new Error("better-auth does not know its Session");
}

/** Returns the cookies that the answer sets. */
async function post(url: string, body: Readonly<Record<string, string>>): Promise<string> {
  const headers = { "content-type": "application/json", origin: new URL(url).origin };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
}
