import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNarrator } from "./demo/narrator.ts";
import { type ServiceProcess, startService } from "./demo/service-process.ts";
import { playStory } from "./demo/story.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

console.log(
  "One Signet with a database of its own, and two apps, each with a mirror of its Users.\n",
);
process.exit(await playDemo());

/** Plays the demo, clears everything away, and returns the exit code. */
async function playDemo(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "signet-demo-"));
  const dataDir = join(folder, "data");
  const interrupted = interruption();
  let service: ServiceProcess | undefined;
  let exitCode = 0;
  try {
    await makePassable(folder, dataDir);
    service = await startService(dataDir, process.env);
    exitCode = await Promise.race([playAgainst(service, dataDir), interrupted]);
  } catch (error) {
    console.error(`\nThe demo has failed: ${error instanceof Error ? error.message : error}`);
    if (service) console.error(`\nWhat Signet printed last:\n${service.output.tail()}`);
    exitCode = 1;
  }
  return await clearAway(folder, service).then(
    () => exitCode,
    (error: Error) => {
      console.error(`\nSomething is left in ${folder}: ${error.message}`);
      return 1;
    },
  );
}

/**
 * As root, PostgreSQL runs under another account, which must be able to pass through, or it puts
 * its files elsewhere.
 */
async function makePassable(folder: string, dataDir: string): Promise<void> {
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  await chmod(folder, mode);
  await mkdir(dataDir, { mode });
}

async function playAgainst(service: ServiceProcess, dataDir: string): Promise<number> {
  const beginMs = performance.now();
  const narrator = createNarrator(console.log);
  await narrator.time("Signet starts for the first time, with a new database", () =>
    service.output.waitFor(/Signet is ready at /, "it was ready"),
  );
  const operatorKey = (await readFile(join(dataDir, "operator-key"), "utf8")).trim();
  await playStory(service, operatorKey, narrator);
  const seconds = ((performance.now() - beginMs) / 1_000).toFixed(1);
  console.log(`\nEverything was as it should be, in ${seconds} s.`);
  return 0;
}

/** Resolves with the exit code of the first signal; later ones wait for the clearing away. */
function interruption(): Promise<number> {
  return new Promise((resolve) => {
    for (const [signal, exitCode] of Object.entries(SIGNALS)) {
      process.on(signal, () => {
        console.error("\nInterrupted: clearing away.");
        resolve(exitCode);
      });
    }
  });
}

async function clearAway(folder: string, service: ServiceProcess | undefined): Promise<void> {
  try {
    await service?.stop();
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
