import { readFileSync } from "node:fs";
import { pino } from "pino";
import { clientAddressOf } from "../../src/rpc/client-address.ts";
import type { EdgeLimits } from "../../src/server/edge-limits.ts";
import { createReadiness } from "../../src/server/readiness.ts";
import { createServer } from "../../src/server/server.ts";
import { createCrashHandler } from "../../src/server/shutdown.ts";
import { EdgeService, edgeService } from "./edge-service.ts";

/** A program: a server of its own process, so that a test sees whether it survives. */

/** What the program reads from its one argument, as JSON. */
export interface EdgeServerArguments {
  readonly limits?: Partial<EdgeLimits>;
  readonly trustedProxies?: readonly string[];
  readonly publicUrl?: string;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  readonly consoleFolder?: string;
}

/** What it tells its parent. */
export type EdgeServerMessage =
  | { readonly type: "listening"; readonly port: number }
  | {
      readonly type: "state";
      readonly hanging: number;
      readonly collected: number;
      readonly residentBytes: number;
    }
  | { readonly type: "drained" };

/** What its parent tells it. */
export type EdgeServerOrder =
  | { readonly type: "state" }
  | { readonly type: "ready"; readonly holds: boolean }
  | { readonly type: "drain"; readonly graceMs: number }
  | { readonly type: "crash" };

const { limits, trustedProxies, publicUrl, tls, consoleFolder } = JSON.parse(
  process.argv[2] ?? "{}",
) as EdgeServerArguments;
const state = { hanging: 0, collected: 0 };
const log = pino({ level: process.env.EDGE_LOG ?? "silent" }, pino.destination(2));
const readiness = createReadiness([]);
const server = createServer({
  config: {
    host: "127.0.0.1",
    port: 0,
    ...(tls === undefined
      ? {}
      : { tls: { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) } }),
    trustedProxies: trustedProxies ?? [],
    publicUrl: publicUrl ?? "",
    limits: limits ?? {},
  },
  routes: (router) => router.service(EdgeService, edgeService(state, clientAddressOf)),
  interceptors: [],
  readiness,
  wellKnown: {
    jwks: async () => ({ keys: [{ kty: "EC", kid: "1", crv: "P-256", x: "x", y: "y" }] }),
    issuer: async () => undefined,
  },
  ...(consoleFolder !== undefined && { consoleFolder }),
  log,
});

function tell(message: EdgeServerMessage): void {
  process.send?.(message);
}

// A test that dies must not leave its server behind.
const abandon = (): never => process.exit(2);
process.on("disconnect", abandon);
process.on(
  "uncaughtException",
  createCrashHandler({ log, drain: () => server.drain(1_000), exit: (code) => process.exit(code) }),
);
process.on("message", (order: EdgeServerOrder) => {
  if (order.type === "state") {
    (globalThis as { gc?: () => void }).gc?.();
    tell({ type: "state", ...state, residentBytes: process.memoryUsage().rss });
  } else if (order.type === "ready") {
    readiness.set("database", order.holds);
  } else if (order.type === "drain") {
    void server.drain(order.graceMs).then(() => {
      process.off("disconnect", abandon);
      tell({ type: "drained" });
      process.disconnect?.();
    });
  } else {
    setImmediate(() => {
      throw new Error("a planted bug");
    });
  }
});

const { port } = await server.listen();
tell({ type: "listening", port });
