import { pino } from "pino";
import { createDataFolder } from "../src/demo/data-folder.ts";
import { startEmbeddedPostgres } from "../src/store/embedded-postgres.ts";

/** Starts a PostgreSQL like the service's, as an app has one of its own; returns its URL. */
export async function startAppDatabase(resources: AsyncDisposableStack): Promise<string> {
  const folder = await createDataFolder();
  resources.defer(() => folder.remove());
  const log = pino({ level: "silent" });
  const starting = startEmbeddedPostgres({ dataDir: folder.path, log });
  // Before it has started, so that an interruption finds it.
  resources.defer(async () => (await starting).stop());
  return (await starting).adminUrl;
}
