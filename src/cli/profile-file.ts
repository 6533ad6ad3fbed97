import { chmod, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Context, UsageError } from "./context.ts";

/** Where a Signet is, and a key for it. */
export interface Profile {
  readonly url: string;
  readonly key: string;
}

/** What the file of profiles holds. */
export interface ProfileFile {
  /** The profile that is taken where none is named. */
  readonly current?: string | undefined;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** What a profile may be called. */
export const PROFILE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

const BYTES_MAX = 1024 * 1024;
const OTHERS = 0o077;

/** Returns the place of the file; undefined: the environment names no home. */
export function profilePath({ environment }: Pick<Context, "environment">): string | undefined {
  const { XDG_CONFIG_HOME, HOME, USERPROFILE } = environment;
  const home = HOME || USERPROFILE;
  const folder = XDG_CONFIG_HOME || (home && join(home, ".config"));
  return folder ? join(folder, "signet", "profiles.json") : undefined;
}

/**
 * Reads the file of profiles; where there is none, there are no profiles.
 *
 * @throws {UsageError} where others may read it, or it is no such file: it holds keys.
 */
export async function readProfiles(path: string | undefined): Promise<ProfileFile> {
  if (path === undefined) return { profiles: {} };
  const text = await readPrivately(path);
  return text === undefined ? { profiles: {} } : parseProfiles(path, text);
}

/** Writes the file in one step, so that nobody finds half of it, and for nobody else to read. */
export async function writeProfiles(path: string | undefined, file: ProfileFile): Promise<string> {
  if (path === undefined) throw new UsageError("HOME is not set: there is no place for profiles");
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}.new`;
  try {
    await using handle = await open(fresh, "wx", 0o600);
    await handle.writeFile(`${JSON.stringify(file, undefined, 2)}\n`);
    await handle.sync();
    await chmod(fresh, 0o600); // Whatever the umask says.
    await rename(fresh, path);
  } finally {
    await rm(fresh, { force: true });
  }
  return path;
}

async function readPrivately(path: string): Promise<string | undefined> {
  const handle = await openIfPresent(path);
  if (!handle) return undefined;
  await using file = handle;
  const { mode, uid, size } = await file.stat();
  requirePrivate(path, mode, uid);
  if (size > BYTES_MAX) throw new UsageError(`${path} is too large to be a file of profiles`);
  return await file.readFile("utf8");
}

async function openIfPresent(path: string) {
  try {
    return await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Windows has no such modes. */
function requirePrivate(path: string, mode: number, uid: number): void {
  const ownUid = process.getuid?.();
  if (ownUid === undefined) return;
  if (uid !== ownUid) throw new UsageError(`${path} belongs to somebody else: it is not read`);
  if ((mode & OTHERS) === 0) return;
  throw new UsageError(`${path} holds keys, and others may read it: run chmod 600 ${path}`);
}

function parseProfiles(path: string, text: string): ProfileFile {
  const value = parseJson(text);
  const { current, profiles } = isRecord(value) ? value : {};
  const isCurrent = current === undefined || typeof current === "string";
  if (isCurrent && isRecord(profiles) && Object.values(profiles).every(isProfile)) {
    return { current, profiles: profiles as ProfileFile["profiles"] };
  }
  throw new UsageError(`${path} is no file of profiles: correct it, or take it away`);
}

function isProfile(value: unknown): value is Profile {
  return isRecord(value) && typeof value.url === "string" && typeof value.key === "string";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A SyntaxError: the caller says what it should be.
  }
}
