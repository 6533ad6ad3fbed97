import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";

/** Connections to receivers, each kept for a moment for whatever is posted there next. */
export interface KeptConnections {
  /** The connections for a URL: whoever opens one has to check where it leads. */
  agentFor(url: URL): HttpAgent;
}

/** Nothing was posted for so long. */
const IDLE_MS = 5_000;
/** A busy one is closed, too: the address it leads to was checked when it was opened. */
const AGE_MS_MAX = 60_000;
/** To one host and port: as many as one webhook has requests under way. */
const IDLE_MAX = 8;

/** Begins with none. Those that are idle do not keep the process alive. */
export function createKeptConnections(): KeptConnections {
  const options = { keepAlive: true, timeout: IDLE_MS, maxFreeSockets: IDLE_MAX };
  const agents = { "http:": new HttpAgent(options), "https:": new HttpsAgent(options) };
  for (const agent of Object.values(agents)) boundAge(agent);
  return {
    agentFor: ({ protocol }) => (protocol === "https:" ? agents["https:"] : agents["http:"]),
  };
}

function boundAge(agent: HttpAgent): void {
  const firstKept = new WeakMap<object, number>();
  const keep = agent.keepSocketAlive.bind(agent);
  agent.keepSocketAlive = (socket) => {
    const now = performance.now();
    const since = firstKept.get(socket) ?? now;
    firstKept.set(socket, since);
    return now - since < AGE_MS_MAX && keep(socket);
  };
}
