import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { inspect } from "node:util";
import { z } from "zod";
import { keyWeakness } from "./model/key-strength.ts";
import type { PeerConfig } from "./model/peer.ts";
import { readPeers } from "./model/peer-list.ts";
import { type Secret, secret } from "./model/secret.ts";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** How much is logged; everything of the level and above. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Tells whether a text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}

/** Encryption keys of 32 bytes by version: the current one encrypts, each decrypts its own. */
export interface MasterKeyConfig {
  readonly current: number;
  readonly keys: ReadonlyMap<number, Uint8Array>;
}

/** An address to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const MASTER_KEY_VERSION_MAX = 255;

/** Every variable of the service with its form and default; .env.example explains them. */
const VARIABLES = z.object({
  HOST: text(/^[\w.:-]{1,253}$/, "must be an address or a host name").default("127.0.0.1"),
  PORT: wholeNumber(1, 65_535).default(5678),
  DATABASE_URL: postgresUrl().optional(),
  DATABASE_DIRECT_URL: postgresUrl().optional(),
  DATABASE_OWNER_URL: postgresUrl().optional(),
  DATABASE_POOL_MAX: wholeNumber(2, 500).default(20),
  SIGNET_DATA_DIR: z.string().default(".signet"),
  SIGNET_POSTGRES_PORT: wholeNumber(1, 65_535).optional(),
  SIGNET_PUBLIC_URL: publicUrl().optional(),
  SIGNET_OPERATOR_KEY: operatorKey().optional(),
  SIGNET_MASTER_KEYS: masterKeys().optional(),
  SIGNET_MASTER_KEY_VERSION: wholeNumber(1, MASTER_KEY_VERSION_MAX).optional(),
  SIGNET_TLS_CERT_FILE: z.string().optional(),
  SIGNET_TLS_KEY_FILE: z.string().optional(),
  SIGNET_HSTS_SUBDOMAINS: trueOrFalse().default(false),
  SIGNET_TRUSTED_PROXIES: addressRanges().default([]),
  SIGNET_INTERNAL_HOSTS: hostNames().default([]),
  SIGNET_BREACHED_PASSWORDS_URL: publicUrl().optional(),
  SIGNET_RATE_LIMIT_PERCENT: wholeNumber(1, 100_000).default(100),
  SIGNET_HASH_THREADS: wholeNumber(1, 256).optional(),
  SIGNET_WORKERS: workers().default(1),
  SIGNET_CHANGE_RETENTION_DAYS: wholeNumber(0, 3_650).default(7),
  SIGNET_CHANGE_RETENTION_ROWS: wholeNumber(10_000, 1_000_000_000).default(10_000_000),
  SIGNET_TOMBSTONE_RETENTION_DAYS: wholeNumber(1, 3_650).default(90),
  SIGNET_SIGNING_KEY_DAYS: wholeNumber(1, 3_650).default(90),
  SIGNET_FORWARD_AUTH_COOKIE: cookieName().optional(),
  SIGNET_FORWARD_AUTH_LOGIN_URL: pageUrl().optional(),
  SIGNET_FORWARD_AUTH_IDENTITY_SECONDS: wholeNumber(0, 300).default(0),
  SIGNET_PEERS: peers().default([]),
  SIGNET_METRICS_KEY: metricsKey().optional(),
  SIGNET_METRICS_ADDRESS: listenAddress().optional(),
  SMTP_URL: smtpUrl().optional(),
  SMTP_FROM: text(/^[^\p{Cc}@]*[^\s@]@[^\s@][^\p{Cc}@]*$/u, "must be one mail sender").optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`).default("info"),
});

/** The variables as values, with defaults in place. */
export type ConfigVariables = z.output<typeof VARIABLES>;

/** Names of the variables that the service reads. */
export const CONFIG_VARIABLES: readonly string[] = Object.keys(VARIABLES.shape);

/** Reads each variable by itself; without `variables`, `malformed` says what is wrong. */
export function readVariables(given: Readonly<Record<string, unknown>>): {
  readonly variables: ConfigVariables | undefined;
  readonly malformed: readonly string[];
} {
  const result = VARIABLES.safeParse(given);
  const issues = result.error?.issues ?? [];
  const malformed = issues.map(({ path, message }) => `${path.join()} ${message}`);
  return { variables: result.data, malformed };
}

function text(pattern: RegExp, problem: string) {
  return z.string().regex(pattern, problem);
}

/** Reads with a function that returns `undefined` for what it cannot read. */
function parsed<T extends object | string>(
  parse: (value: string) => T | undefined,
  problem: string,
) {
  return z.string().transform((value, context): T => {
    const result = parse(value);
    if (result !== undefined) return result;
    context.addIssue({ code: "custom", message: problem });
    return z.NEVER;
  });
}

function wholeNumber(min: number, max: number) {
  const problem = `must be a whole number from ${min} to ${max}`;
  const isRight = (value: string) => isWithin(value, min, max);
  return z.string().refine(isRight, problem).transform(Number);
}

function trueOrFalse() {
  return z.enum(["true", "false"], "must be true or false").transform((value) => value === "true");
}

/** One for each core where it is said to be "auto". */
function workers() {
  const isRight = (value: string) => value === "auto" || isWithin(value, 1, 256);
  const problem = "must be auto, or a whole number from 1 to 256";
  const toNumber = (value: string) => (value === "auto" ? availableParallelism() : Number(value));
  return z.string().refine(isRight, problem).transform(toNumber);
}

function isWithin(value: string, min: number, max: number): boolean {
  return /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max;
}

function postgresUrl() {
  return secretUrl(["postgres:", "postgresql:"], "must be a postgres:// URL");
}

function smtpUrl() {
  return secretUrl(["smtp:", "smtps:"], "must be an smtp:// or smtps:// URL with a host");
}

/** Such a URL holds a password. */
function secretUrl(protocols: readonly string[], problem: string) {
  return parsed((value): Secret | undefined => {
    const protocol = URL.canParse(value) ? new URL(value).protocol : "";
    return protocols.includes(protocol) ? secret(value) : undefined;
  }, problem);
}

function publicUrl() {
  return parsed((value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const isBase = url && !url.username && !url.password && !/[?#]/.test(value);
    const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
    return isBase && isWeb ? url.href.replace(/\/+$/, "") : undefined;
  }, "must be an https:// or http:// URL without credentials, query or fragment");
}

/** It may have a query, to which more can be added. */
function pageUrl() {
  return parsed((value) => {
    const url = URL.parse(value);
    const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
    return isWeb && !url.username && !url.password && !/#/.test(value) ? url.href : undefined;
  }, "must be an https:// or http:// URL without credentials or fragment");
}

function metricsKey() {
  return parsed((value): Secret | undefined => {
    return /^[\x21-\x7e]{24,256}$/.test(value) ? secret(value) : undefined;
  }, "must have 24 to 256 characters of ASCII without spaces: make it by `openssl rand -hex 32`");
}

/** Where to listen: `host:port`, IPv6 in brackets. */
function listenAddress() {
  return parsed((value): ListenAddress | undefined => {
    const [, inBrackets, plain = "", port = ""] =
      /^(?:\[([\da-fA-F:]+)\]|([\w.-]{1,253})):(\d{1,5})$/.exec(value) ?? [];
    const host = inBrackets ?? plain;
    return host !== "" && isWithin(port, 1, 65_535) ? { host, port: Number(port) } : undefined;
  }, "must be host:port, such as 127.0.0.1:9464");
}

function cookieName() {
  // RFC 6265 §4.1.1 takes any token; these need no second look.
  return text(/^[\w.-]{1,64}$/, "must have 1 to 64 letters, digits, underscores, dots or hyphens");
}

/** Names or addresses as they stand in a URL, IPv6 without brackets. */
function hostNames() {
  return parsed((value) => {
    const hosts = value.split(",").map((host) => host.trim().toLowerCase());
    return hosts.every((host) => isHostName(host)) ? hosts : undefined;
  }, "must be host names or addresses, separated by commas");
}

function isHostName(host: string): boolean {
  if (isIP(host) !== 0) return true;
  return /^[a-z0-9.-]+$/.test(host) && URL.parse(`https://${host}`)?.hostname === host;
}

function addressRanges() {
  return parsed((value) => {
    const ranges = value.split(",").map((range) => toAddressRange(range.trim()));
    return ranges.every((range) => range !== undefined) ? ranges : undefined;
  }, "must be addresses or CIDR ranges, separated by commas, and not the whole Internet");
}

/** Writes one address as a range too, so that readers meet a single form. */
function toAddressRange(range: string): string | undefined {
  const [address = "", prefix, ...rest] = range.split("/");
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  const length = prefix ?? String(bits);
  return rest.length === 0 && isWithin(length, 1, bits) ? `${address}/${length}` : undefined;
}

function peers() {
  return z.string().transform((value, context): readonly PeerConfig[] => {
    const list = readPeers(value);
    for (const message of list.problems) context.addIssue({ code: "custom", message });
    return list.peers;
  });
}

function operatorKey() {
  return z.string().transform((value, context): Secret => {
    const body = /^sgn_op_([\w-]{43})$/.exec(value)?.[1] ?? "";
    const bytes = Buffer.from(body, "base64url");
    const isCanonical = bytes.length === 32 && bytes.toString("base64url") === body;
    const problem = isCanonical ? keyWeakness(bytes) : "must be sgn_op_ and 32 bytes in base64url";
    if (problem) context.addIssue({ code: "custom", message: `${problem} (see .env.example)` });
    return secret(value);
  });
}

function masterKeys() {
  return z.string().transform((value, context): MasterKeyConfig => {
    const keys = new Map<number, Uint8Array>();
    for (const entry of value.split(",")) {
      const problem = addMasterKey(keys, entry.trim());
      if (problem) context.addIssue({ code: "custom", message: problem });
    }
    return unprintable({ current: Math.max(...keys.keys()), keys });
  });
}

/** Adds the key of `version:base64` and returns `undefined`, or returns what is wrong with it. */
function addMasterKey(keys: Map<number, Uint8Array>, entry: string): string | undefined {
  const [, digits, base64 = ""] = /^([1-9]\d{0,2}):([\w+/-]*={0,2})$/.exec(entry) ?? [];
  if (!digits) return "must be <version>:<base64 of 32 bytes>, separated by commas";
  const version = Number(digits);
  const key = Buffer.from(base64, "base64");
  if (version > MASTER_KEY_VERSION_MAX) {
    return `has version ${version}; the highest is ${MASTER_KEY_VERSION_MAX}`;
  }
  if (keys.has(version)) return `has version ${version} twice`;
  if (key.length !== 32) return `version ${version} has ${key.length} bytes instead of 32`;
  const weakness = keyWeakness(key);
  if (weakness) return `version ${version} ${weakness} (see .env.example)`;
  keys.set(version, key);
  return undefined;
}

/** Returns the same keys with another that encrypts. */
export function encryptWith({ keys }: MasterKeyConfig, current: number): MasterKeyConfig {
  return unprintable({ current, keys });
}

/** Keeps key bytes out of logs and error reports. */
function unprintable<T extends object>(value: T): T {
  const hidden = { value: () => "[secret]", enumerable: false };
  return Object.freeze(
    Object.defineProperties(value, { toJSON: hidden, [inspect.custom]: hidden }),
  );
}
