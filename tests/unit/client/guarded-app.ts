import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import express, { type ErrorRequestHandler } from "express";
import { fastify } from "fastify";
import { UserService } from "../../../gen/signet/v1/user_service_pb.ts";
import {
  type AccessOptions,
  createConnectInterceptor,
  createExpressMiddleware,
  createFastifyHook,
  findPrincipal,
  principalOf,
} from "../../../src/client/index.ts";

/** An app whose pages tell who asks. Each is guarded in another way. */
export interface GuardedApp extends AsyncDisposable {
  ask(page: Page, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

/** `forgotten` has no guard, and tells whose token it is all the same. */
export type Page = "user" | "anyone" | "editor" | "forgotten";

/** What a client of the app sees. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly userId: string | undefined;
  readonly body: string;
}

/** The same app in each framework. */
export const FRAMEWORKS = { express: expressApp, fastify: fastifyApp, connect: connectApp };

type Verifier = AccessOptions["verifier"];

const rulesOf = (verifier: Verifier): Readonly<Record<Page, AccessOptions | undefined>> => ({
  user: { verifier },
  anyone: { verifier, optional: true },
  editor: { verifier, roles: ["editor", "chief:editor"] },
  forgotten: undefined,
});

const PAGES: readonly Page[] = ["user", "anyone", "editor", "forgotten"];

/** Returns the id that a page shows, in the way that is right for it. */
function callerOn(page: Page, request: object): string {
  if (page === "anyone") return findPrincipal(request)?.userId ?? "nobody";
  return principalOf(request).userId;
}

async function expressApp(verifier: Verifier, passTo?: ErrorRequestHandler): Promise<GuardedApp> {
  const app = express().set("env", "test"); // prints no errors
  for (const page of PAGES) {
    const rules = rulesOf(verifier)[page];
    const guard = rules && createExpressMiddleware({ ...rules, passErrors: passTo !== undefined });
    if (guard) app.use(`/${page}`, guard);
    app.post(`/${page}`, (request, response) => {
      response.json({ userId: callerOn(page, request) });
    });
  }
  if (passTo) app.use(passTo);
  return await listen(app);
}

async function fastifyApp(verifier: Verifier): Promise<GuardedApp> {
  const app = fastify();
  for (const page of PAGES) {
    const rules = rulesOf(verifier)[page];
    const guard = rules ? { onRequest: createFastifyHook(rules) } : {};
    app.post(`/${page}`, guard, async (request) => ({ userId: callerOn(page, request) }));
  }
  await app.ready();
  return await listen(app.routing);
}

/** Spoken as JSON over HTTP/1.1, where Connect's codes are statuses of HTTP. */
async function connectApp(verifier: Verifier): Promise<GuardedApp> {
  const { getUser } = UserService.method;
  const handlers = PAGES.map((page): [string, RequestListener] => {
    const rules = rulesOf(verifier)[page];
    const handler = connectNodeAdapter({
      requestPathPrefix: `/${page}`,
      interceptors: rules ? [createConnectInterceptor(rules)] : [],
      routes: (router) =>
        router.rpc(getUser, (_request, { values }) => ({ user: { id: callerOn(page, values) } })),
    });
    return [`/${page}/${UserService.typeName}/${getUser.name}`, handler];
  });
  const byPath = new Map(handlers);
  return await listen(
    (request, response) => byPath.get(request.url ?? "")?.(request, response),
    `/${UserService.typeName}/${getUser.name}`,
  );
}

async function listen(handler: RequestListener, suffix = ""): Promise<GuardedApp> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    async ask(page, headers = {}) {
      const answer = await fetch(`http://127.0.0.1:${port}/${page}${suffix}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: "{}",
      });
      const body = await answer.text();
      return { status: answer.status, headers: answer.headers, userId: userIdIn(body), body };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function userIdIn(body: string): string | undefined {
  return /"(?:userId|id)":"([^"]+)"/.exec(body)?.[1];
}
