import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createDataFolder } from "./demo/data-folder.ts";
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
  const interrupted = interruption();
  const folder = await createDataFolder();
  let service: ServiceProcess | undefined;
  let exitCode = 1;
  try {
    service = await startService(folder.path, process.env);
    exitCode = await Promise.race([playAgainst(service, folder.path), interrupted]);
  } catch (error) {
    console.error(`\nThe demo has failed: ${messageOf(error)}`);
    if (service) console.error(`\nWhat Signet printed last:\n${service.output.tail()}`);
  }
  try {
    await service?.stop();
    await folder.remove();
  } catch (error) {
    console.error(`\nSomething is left in ${folder.path}: ${messageOf(error)}`);
    exitCode ||= 1;
  }
  return exitCode;
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
