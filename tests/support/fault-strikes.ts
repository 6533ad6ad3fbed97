import { databaseStrikes } from "./fault-database-strikes.ts";
import { linkStrikes } from "./fault-link-strikes.ts";
import { processStrikes } from "./fault-process-strikes.ts";
import type { FaultName, FaultScene, PlannedFault, Strike } from "./fault-scene.ts";

/** How each kind is done. */
const STRIKES: Readonly<Record<FaultName, Strike>> = {
  ...processStrikes,
  ...databaseStrikes,
  ...linkStrikes,
};

/**
 * Does a fault, and waits until every process of the service is ready again.
 *
 * @throws if it touched nothing, or a process has ended by itself.
 */
export async function strike(
  scene: FaultScene,
  fault: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  await STRIKES[fault.kind](scene, fault, signal).catch((error: unknown) => {
    throw new Error(`${fault.kind} (process ${fault.process}): ${error}`, { cause: error });
  });
  await scene.signet.untilReady(signal);
}
