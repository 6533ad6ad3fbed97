import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createDataFolder } from "../../src/demo/data-folder.ts";
import { type ServiceProcess, startService } from "../../src/demo/service-process.ts";

/** A Signet as `npm start` runs it, with a database of its own. */
export interface OwnService extends AsyncDisposable {
  readonly url: string;
  readonly output: ServiceProcess["output"];
  readonly operatorKey: string;
  readonly operatorKeyFile: string;
}

/** Starts the service and waits until it is ready. */
export async function startOwnService(): Promise<OwnService> {
  const folder = await createDataFolder();
  const { url, output, stop } = await startService(folder.path, process.env);
  const operatorKeyFile = join(folder.path, "operator-key");
  const dispose = async () => {
    await stop();
    await folder.remove();
  };
  try {
    await output.waitFor(/Signet is ready at /, "it was ready");
    const operatorKey = (await readFile(operatorKeyFile, "utf8")).trim();
    return { url, output, operatorKey, operatorKeyFile, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
