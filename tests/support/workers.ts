import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Clients, clientsOf, unique } from "./builders.ts";
import { type ServiceOptions, startService, type TestService } from "./service.ts";
import { until } from "./waiting.ts";

/** A process of several that serve. */
export interface ReadyWorker {
  readonly worker: number;
  readonly pid: number;
}

const READY_MS_MAX = 60_000;
const CONNECTIONS_MAX = 20;

/** Starts the service with so many workers, and waits until all of them are ready. */
export async function startWorkers(count: number, options: ServiceOptions): Promise<TestService> {
  const env = { SIGNET_WORKERS: `${count}`, ...options.env };
  const service = await startService({ ...options, env, ready: "printed" });
  await untilWorkers(service, count); // Lines of the log come a little later.
  return service;
}

/** Every worker that has ever become ready, by the log. */
export function workersOf({ stderr }: Pick<TestService, "stderr">): readonly ReadyWorker[] {
  return linesWith(stderr(), '"msg":"worker is ready"') as readonly ReadyWorker[];
}

/** Waits until so many have become ready since the start. */
export async function untilWorkers(
  service: Pick<TestService, "stderr">,
  count: number,
): Promise<readonly ReadyWorker[]> {
  await until(() => workersOf(service).length >= count, READY_MS_MAX);
  return workersOf(service);
}

/** Returns which worker has answered the call that brought this `x-request-id`. */
export async function workerOfCall(
  { stderr }: Pick<TestService, "stderr">,
  requestId: string,
): Promise<number> {
  const line = await until(() => linesWith(stderr(), `"requestId":"${requestId}"`)[0]);
  return (line as { readonly worker: number }).worker;
}

/** Makes clients whose connection one worker has. */
export async function clientsAtWorker(
  service: TestService,
  credential: string,
  wanted: number,
): Promise<Clients> {
  for (let attempt = 0; attempt < CONNECTIONS_MAX; attempt += 1) {
    const clients = clientsOf(createGrpcTransport({ baseUrl: service.url }), credential);
    const requestId = unique("who");
    await clients.sites.getSite({}, { headers: { "x-request-id": requestId } });
    if ((await workerOfCall(service, requestId)) === wanted) return clients;
  }
  throw new Error(`no connection has reached worker ${wanted}`);
}

/** Tells whether there is a process of this id. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function linesWith(log: string, text: string): unknown[] {
  const complete = log.slice(0, log.lastIndexOf("\n") + 1).split("\n");
  return complete.filter((line) => line.includes(text)).map((line) => JSON.parse(line));
}
