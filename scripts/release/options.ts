import { parseArgs } from "node:util";

/** What a release is to be. */
export interface ReleaseOptions {
  /** A version as npm knows it, such as `0.2.0` or `0.3.0-rc.1`. */
  readonly version: string;
  /** The npm registry that the client goes to; undefined: that is left to the person. */
  readonly registry: string | undefined;
  /** The name of the image with its registry, without a tag; undefined: no image is built. */
  readonly image: string | undefined;
  /** Whether to publish at the end; otherwise the commands for that are printed. */
  readonly push: boolean;
  /** Whether to say what would be done and to do nothing. */
  readonly dryRun: boolean;
}

/** What keeps a release from being made, in words for the person who asked for it. */
export class ReleaseError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ReleaseError";
  }
}

const USAGE =
  "npm run release -- <version> [--registry <url>] [--image <name>] [--push] [--dry-run]";

const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9a-z]+(\.[0-9a-z]+)*)?$/;
/** With the host of a registry or without, and no tag: the version is the tag. */
const IMAGE = /^[a-z0-9][a-z0-9.-]*(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;

/** Reads the words of the command line. @throws {ReleaseError} */
export function parseReleaseOptions(words: readonly string[]): ReleaseOptions {
  const { values, positionals } = parseWords(words);
  const [version = "", another] = positionals;
  const { registry, image, push, "dry-run": dryRun } = values;
  if (version === "" || another !== undefined) throw new ReleaseError(USAGE);
  if (!VERSION.test(version)) throw new ReleaseError(`${version} is no version such as 0.2.0`);
  if (registry !== undefined && !/^https?:$/.test(URL.parse(registry)?.protocol ?? "")) {
    throw new ReleaseError("--registry must be the URL of an npm registry");
  }
  if (image !== undefined && !IMAGE.test(image)) {
    throw new ReleaseError("--image must be a name such as registry.example.com/signet, no tag");
  }
  return { version, registry, image, push, dryRun };
}

/** Tells whether a version comes before the one without its suffix, as a candidate does. */
export function isPrerelease(version: string): boolean {
  return version.includes("-");
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        registry: { type: "string" },
        image: { type: "string" },
        push: { type: "boolean", default: false },
        "dry-run": { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new ReleaseError(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}
