import { readyMessage } from "../ready-message.ts";
import { migrate } from "../store/migrate.ts";
import { openDatabase } from "./database-at-start.ts";
import type { Life } from "./life.ts";
import { findKeys, serve } from "./serve.ts";

/** Runs the service in this one process. */
export async function serveAlone(life: Life): Promise<void> {
  const { config, log, print, signal } = life;
  const beginMs = performance.now();
  // There is nobody to take its place meanwhile; by itself the signal would end the process.
  process.on("SIGUSR2", () =>
    log.warn("one process alone cannot be replaced: SIGNET_WORKERS is 1"),
  );
  for (const warning of config.warnings) log.warn(warning);
  const urls = await openDatabase(life, 1);
  const keys = await findKeys(config); // After the database has locked the data folder.
  signal.throwIfAborted();
  const { ownerUrl } = urls;
  await serve(life, {
    urls,
    keys,
    migrated: async () => {
      if (ownerUrl) await migrate({ ownerUrl, log });
    },
    opensAtOnce: true,
    onReady: () => print(readyMessage(config, keys, performance.now() - beginMs)),
  });
}
