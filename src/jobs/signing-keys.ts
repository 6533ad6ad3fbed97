import type { Logger } from "pino";
import type { Deps } from "../domain/deps.ts";
import { keepSigningKeys } from "../domain/signing-key-rotation.ts";

/** How signing keys are kept. */
export interface SigningKeyCare {
  readonly deps: Deps;
  /** After so many days the key that signs is replaced by the next one. */
  readonly days: number;
}

const DAY_MS = 24 * 60 * 60_000;

/** Rotates the signing keys of the Sites whose turn it is, a bounded number at a time. */
export async function careForSigningKeys(
  { deps, days }: SigningKeyCare,
  log: Logger,
): Promise<void> {
  const sites = await keepSigningKeys(deps, days * DAY_MS);
  if (sites > 0) log.info({ sites }, "signing keys rotated or retired");
}
