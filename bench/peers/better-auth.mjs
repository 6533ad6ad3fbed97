import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import * as argon2 from "argon2";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import pg from "pg";
import { answerParent } from "../child-process.ts";

/** The parameters of Signet's hashes, in place of better-auth's own scrypt. */
const ARGON2ID = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** As many as Signet has for calls. */
const CONNECTIONS = 20;

answerParent(listen);

/** Serves an app with better-auth: its own endpoints, and one that finds a user by address. */
async function listen({ databaseUrl, secret, cookieCache }) {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  const options = {
    baseURL: url,
    secret,
    database: new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS }),
    emailAndPassword: {
      enabled: true,
      password: {
        hash: (password) => argon2.hash(password, ARGON2ID),
        verify: ({ hash, password }) => argon2.verify(hash, password),
      },
    },
    session: { cookieCache: { enabled: cookieCache, maxAge: 300 } },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: "error" },
  };
  await (await getMigrations(options)).runMigrations();
  const auth = betterAuth(options);
  const { internalAdapter } = await auth.$context;
  server.on("request", (request, response) => {
    const answering = request.url.startsWith("/users/")
      ? lookUp(internalAdapter, request)
      : auth.handler(toRequest(request, url)).then(toAnswer);
    answering.then(
      ({ status, headers, body }) => response.writeHead(status, headers).end(body),
      () => response.writeHead(500, { "content-length": 0 }).end(),
    );
  });
  return { url };
}

async function lookUp(internalAdapter, request) {
  const email = decodeURIComponent(request.url.slice("/users/".length));
  const found = await internalAdapter.findUserByEmail(email);
  const body = JSON.stringify(found?.user ?? null);
  const status = found ? 200 : 404;
  const headers = { "content-type": "application/json", "content-length": body.length };
  return { status, headers, body };
}

function toRequest(request, base) {
  const { method, headers } = request;
  const hasBody = method !== "GET" && method !== "HEAD";
  const body = hasBody ? new ReadableStream({ start: (stream) => copy(request, stream) }) : null;
  return new Request(new URL(request.url, base), { method, headers, body, duplex: "half" });
}

async function copy(request, stream) {
  stream.enqueue(await buffer(request));
  stream.close();
}

async function toAnswer(response) {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = [...response.headers].filter(([name]) => name !== "content-length").flat();
  return { status: response.status, headers: [...headers, "content-length", body.length], body };
}
