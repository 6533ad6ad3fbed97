import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

/** The embedded PostgreSQL listens here and nowhere else. */
export const LOOPBACK = "127.0.0.1";

/**
 * Chooses the port: the configured one, or the one of last time if it is free, or any other.
 *
 * @throws {Error} if another program has the configured one.
 */
export async function choosePort(dataDir: string, configured?: number): Promise<number> {
  if (configured !== undefined) {
    if (await isFree(configured)) return configured;
    throw new Error(
      `port ${configured} for the embedded PostgreSQL is taken by another program: ` +
        "stop it, or choose another port",
    );
  }
  const path = join(dataDir, "postgres-port");
  const last = Number(await readFile(path, "utf8").catch(() => ""));
  if (last > 0 && (await isFree(last))) return last;
  const port = await freePort();
  await writeFile(path, String(port));
  return port;
}

async function isFree(port: number): Promise<boolean> {
  return await listenOnce(port).then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  return await listenOnce(0);
}

async function listenOnce(wanted: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(wanted, LOOPBACK, () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : wanted;
      server.close(() => resolve(port));
    });
  });
}
