import { randomBytes } from "node:crypto";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Secret, secret } from "../model/secret.ts";
import { mintOperatorKey } from "./site-secret.ts";
import type { MasterKeys } from "./subkeys.ts";

/** The keys of a Signet that runs on its own PostgreSQL, for development. */
export interface LocalKeys {
  readonly operatorKey: Secret;
  readonly masterKeys: MasterKeys;
  /** Whether they were made just now, at the first start. */
  readonly created: boolean;
}

/** The file from which a developer takes the operator key. */
export const OPERATOR_KEY_FILE = "operator-key";
const MASTER_KEY_FILE = "master-key";

/**
 * Reads the keys in the data folder, or makes them at the first start. Only the user that runs
 * Signet can read the files. Without its master key the data cannot be decrypted.
 */
export async function loadLocalKeys(dataDir: string): Promise<LocalKeys> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const masterKey = await readOrCreate(join(dataDir, MASTER_KEY_FILE), () =>
    randomBytes(32).toString("base64"),
  );
  const operatorKey = await readOrCreate(join(dataDir, OPERATOR_KEY_FILE), () =>
    mintOperatorKey().text.reveal(),
  );
  return {
    operatorKey: secret(operatorKey.text),
    masterKeys: { current: 1, keys: new Map([[1, Buffer.from(masterKey.text, "base64")]]) },
    created: operatorKey.created,
  };
}

async function readOrCreate(
  path: string,
  make: () => string,
): Promise<{ readonly text: string; readonly created: boolean }> {
  try {
    return { text: (await readFile(path, "utf8")).trim(), created: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const text = make();
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(`${text}\n`);
  await file.sync();
  return { text, created: true };
}
