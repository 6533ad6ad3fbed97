import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { openTestFolder } from "./postgres.ts";
import { freePort } from "./service.ts";
import { until } from "./waiting.ts";

/** A PgBouncer in transaction mode, before the PostgreSQL of a URL. */
export interface PgBouncer extends AsyncDisposable {
  /** The same database and role, through the pooler. */
  readonly url: string;
}

/** Whether the machine has the program: on Debian, `apt-get install pgbouncer`. */
export function hasPgBouncer(): boolean {
  return spawnSync(PROGRAM, ["--version"]).status === 0;
}

const PROGRAM = "pgbouncer";
const HOST = "127.0.0.1";
/** As root it refuses to run; this account has no rights anywhere. */
const NOBODY = 65_534;

/** Starts the real program on a free port, with fewer connections to the server than callers. */
export async function startPgBouncer(
  databaseUrl: string,
  { poolSize }: { readonly poolSize: number },
): Promise<PgBouncer> {
  const server = new URL(databaseUrl);
  const folder = await openTestFolder();
  const port = await freePort();
  const users = join(folder, "users.txt");
  const settings = join(folder, "pgbouncer.ini");
  const [user, password] = [server.username, decodeURIComponent(server.password)];
  await writeFile(users, `"${user}" "${password}"\n`, { mode: 0o600 });
  await writeFile(settings, settingsOf(server, { port, users, poolSize }));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(users, NOBODY, NOBODY);
  await chmod(settings, 0o644);
  const account = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const child = spawn(PROGRAM, [settings], { stdio: ["ignore", "ignore", "pipe"], ...account });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  const closed = once(child, "close");
  const url = new URL(databaseUrl);
  url.host = `${HOST}:${port}`;
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await closed;
    await rm(folder, { recursive: true });
  };
  try {
    await until(() => answers(url.href));
  } catch (error) {
    await stop();
    throw new Error(`PgBouncer did not start:\n${log}`, { cause: error });
  }
  return { url: url.href, [Symbol.asyncDispose]: stop };
}

function settingsOf(
  server: URL,
  given: { readonly port: number; readonly users: string; readonly poolSize: number },
): string {
  return `[databases]
* = host=${server.hostname} port=${server.port || "5432"}
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${given.port}
unix_socket_dir =
auth_type = plain
auth_file = ${given.users}
pool_mode = transaction
default_pool_size = ${given.poolSize}
max_client_conn = 500
server_reset_query =
`;
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined); // The attempt to connect is rejected besides.
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}
