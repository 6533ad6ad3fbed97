import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Endpoint, EndpointAnswer, EndpointRequest } from "./http-endpoints.ts";
import { NO_SNIFFING } from "./no-sniffing.ts";

/** What the build writes where each answer needs a value of its own; see vite.config.ts. */
const NONCE_PLACEHOLDER = "__signet_csp_nonce__";

/** Names of assets hold a digest of their content, so that a copy is never out of date. */
const FOREVER = "public, max-age=31536000, immutable";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const PROTECTION = {
  ...NO_SNIFFING,
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

const NOT_BUILT = "The console is not built. Build it with: npm run build:console\n";

/** The files of one build, held in memory: a path of a request never becomes that of a file. */
interface Build {
  readonly page: string;
  readonly assets: ReadonlyMap<string, Asset>;
}

interface Asset {
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly gzipped: Buffer;
}

/**
 * Serves the console, as built into `folder`, at `/console`.
 *
 * It is read with the first request and kept. Every path below is the same page, which finds its
 * own way, but for the assets. Where there is no build, a sentence says how to make one.
 */
export function consoleEndpoints(folder: string): Endpoint[] {
  const build = keepResult(() => readBuild(folder));
  const page = async (): Promise<EndpointAnswer> => pageAnswer(await build());
  const asset = async (request: EndpointRequest): Promise<EndpointAnswer> =>
    assetAnswer(await build(), request);
  return [
    { path: "/console/assets/{name}", answer: asset },
    { path: "/console", answer: page },
    { path: "/console/{rest*}", answer: page },
  ];
}

function pageAnswer(build: Build | undefined): EndpointAnswer {
  if (build === undefined) return notFound(NOT_BUILT);
  const nonce = randomBytes(16).toString("base64");
  return {
    status: 200,
    headers: {
      ...PROTECTION,
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": contentSecurityPolicy(nonce),
      "x-frame-options": "DENY",
    },
    body: build.page.replaceAll(NONCE_PLACEHOLDER, nonce),
  };
}

/** Scripts are files of this origin; a style may be written by one that knows the nonce. */
function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function assetAnswer(
  build: Build | undefined,
  { params, headers }: EndpointRequest,
): EndpointAnswer {
  if (build === undefined) return notFound(NOT_BUILT);
  const asset = build.assets.get(params.name ?? "");
  if (asset === undefined) return notFound("The console has no such file.\n");
  const common = {
    ...PROTECTION,
    "content-type": asset.contentType,
    "cache-control": FOREVER,
    vary: "accept-encoding",
  };
  const zips = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(String(headers["accept-encoding"]));
  if (!zips) return { status: 200, headers: common, body: asset.bytes };
  const encoded = { ...common, "content-encoding": "gzip" };
  return { status: 200, headers: encoded, body: asset.gzipped };
}

function notFound(body: string): EndpointAnswer {
  return { status: 404, headers: { ...PROTECTION, "cache-control": "no-store" }, body };
}

async function readBuild(folder: string): Promise<Build | undefined> {
  const page = await readFile(join(folder, "index.html"), "utf8").catch(missing);
  if (page === undefined) return undefined;
  const names = await readdir(join(folder, "assets"));
  const assets = await Promise.all(
    names.map(async (name) => [name, await readAsset(join(folder, "assets", name))] as const),
  );
  return { page, assets: new Map(assets) };
}

async function readAsset(path: string): Promise<Asset> {
  const bytes = await readFile(path);
  const contentType = CONTENT_TYPES[extname(path)] ?? "application/octet-stream";
  return { bytes, contentType, gzipped: await promisify(gzip)(bytes) };
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

/** Asks once and keeps the answer, unless there was none yet: a build may still come. */
function keepResult<T>(find: () => Promise<T | undefined>): () => Promise<T | undefined> {
  let kept: Promise<T | undefined> | undefined;
  return async () => {
    const asked = kept ?? find();
    kept = asked;
    try {
      const found = await asked;
      if (found === undefined) kept = undefined;
      return found;
    } catch (error) {
      kept = undefined;
      throw error;
    }
  };
}
