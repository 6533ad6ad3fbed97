import { availableParallelism } from "node:os";
import {
  CONFIG_VARIABLES,
  type ConfigVariables,
  encryptWith,
  type ListenAddress,
  type LogLevel,
  type MasterKeyConfig,
  readVariables,
} from "./config-variables.ts";
import { hasKnownPassword } from "./model/known-password.ts";
import type { PeerConfig } from "./model/peer.ts";
import type { Retention } from "./model/retention.ts";
import type { Secret } from "./model/secret.ts";

/** What a running Signet was told, checked as a whole. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Base of every Site's issuer, without a trailing slash. */
  readonly publicUrl: string;
  readonly dataDir: string;
  /** The PostgreSQL to use; absent: Signet runs one of its own in `dataDir`. */
  readonly database: DatabaseConfig | undefined;
  /** Connections for calls, of each process. */
  readonly databasePoolMax: number;
  /** Port of the embedded PostgreSQL; absent: any free one, kept from start to start. */
  readonly embeddedPostgresPort: number | undefined;
  /** Present whenever `database` is; else made at the first start and kept in `dataDir`. */
  readonly operatorKey: Secret | undefined;
  /** Present whenever `database` is; else made at the first start and kept in `dataDir`. */
  readonly masterKeys: MasterKeyConfig | undefined;
  readonly tls: TlsConfig | undefined;
  /** Whether browsers are told to come by https to all hosts below that of `publicUrl`, too. */
  readonly hstsSubdomains: boolean;
  /** Addresses and CIDR ranges whose forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Hosts of one's own: outward calls may go to them at private addresses, and without TLS. */
  readonly internalHosts: readonly string[];
  /** Where ranges of breached passwords are asked for; absent: nowhere. */
  readonly breachedPasswordsUrl: string | undefined;
  /** What is granted of the limits of calls, in percent of their defaults. */
  readonly ratePercent: number;
  /** Absent: mails are printed. */
  readonly smtpUrl: Secret | undefined;
  /** Sender of a Site that has none of its own. */
  readonly mailFrom: string;
  /** Passwords hashed at once by each process; by default all of them together use every core. */
  readonly hashThreads: number;
  readonly forwardAuth: ForwardAuthConfig;
  /** Other Signets from which Users may come; empty: none. */
  readonly peers: readonly PeerConfig[];
  readonly retention: Retention;
  /** After so many days a key that signs access tokens is replaced by the next one. */
  readonly signingKeyDays: number;
  /** Absent: there are no metrics. */
  readonly metrics: MetricsConfig | undefined;
  readonly logLevel: LogLevel;
  /** Processes that serve. */
  readonly workers: number;
  /** What is allowed but unwise; to be logged at start. */
  readonly warnings: readonly string[];
}

/** URLs of three roles of one database; see docs/architecture.md. */
export interface DatabaseConfig {
  readonly url: Secret;
  /** For LISTEN and jobs, past a connection pooler. */
  readonly directUrl: Secret;
  /** Absent: Signet does not migrate at start. */
  readonly ownerUrl: Secret | undefined;
}

/** What proxies that ask who may pass are answered by; see docs/guides/forward-auth.md. */
export interface ForwardAuthConfig {
  /** The cookie that may hold an access token; absent: none does. */
  readonly cookieName: string | undefined;
  /** Where browsers sign in; absent: they are sent nowhere. */
  readonly loginUrl: string | undefined;
  /** How long an identity token is good; 0: none is made. */
  readonly identitySeconds: number;
}

/** Who gets the metrics, and where; one of the two is there. */
export interface MetricsConfig {
  /** Absent: whoever gets to the address. */
  readonly key: Secret | undefined;
  /** Absent: they are at the service's own address. */
  readonly address: ListenAddress | undefined;
}

/** Files of a certificate chain and its private key, in PEM. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
}

/** The configuration cannot be used; the message names every variable at fault. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`invalid configuration:\n  ${problems.join("\n  ")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** They configure the command line, often in the same shell or `.env` file. */
const COMMAND_LINE_VARIABLES: readonly string[] = ["SIGNET_URL", "SIGNET_KEY", "SIGNET_PROFILE"];

/**
 * Reads the configuration from environment variables; an empty variable counts as absent.
 *
 * No message holds a variable's value, since it may be a secret.
 *
 * @throws {ConfigError} naming every variable that is missing, malformed or unknown.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  const { variables, malformed } = readVariables(given);
  const problems = [
    ...malformed,
    ...missing(given),
    ...unknown(given),
    ...(variables ? [insecure, keyless, knownPasswords].flatMap((find) => find(variables)) : []),
  ];
  if (!variables || problems.length > 0) throw new ConfigError(problems);
  return toConfig(variables);
}

function toConfig(variables: ConfigVariables): Config {
  const { SIGNET_TLS_CERT_FILE: certFile, SIGNET_TLS_KEY_FILE: keyFile } = variables;
  const { SIGNET_WORKERS: workers } = variables;
  const tls = certFile && keyFile ? Object.freeze({ certFile, keyFile }) : undefined;
  const localUrl = `${tls ? "https" : "http"}://127.0.0.1:${variables.PORT}`;
  return Object.freeze({
    host: variables.HOST,
    port: variables.PORT,
    publicUrl: variables.SIGNET_PUBLIC_URL ?? localUrl,
    dataDir: variables.SIGNET_DATA_DIR,
    database: toDatabaseConfig(variables),
    databasePoolMax: variables.DATABASE_POOL_MAX,
    embeddedPostgresPort: variables.SIGNET_POSTGRES_PORT,
    operatorKey: variables.SIGNET_OPERATOR_KEY,
    masterKeys: toMasterKeys(variables),
    tls,
    hstsSubdomains: variables.SIGNET_HSTS_SUBDOMAINS,
    trustedProxies: Object.freeze(variables.SIGNET_TRUSTED_PROXIES),
    internalHosts: Object.freeze(variables.SIGNET_INTERNAL_HOSTS),
    breachedPasswordsUrl: variables.SIGNET_BREACHED_PASSWORDS_URL,
    ratePercent: variables.SIGNET_RATE_LIMIT_PERCENT,
    smtpUrl: variables.SMTP_URL,
    mailFrom: variables.SMTP_FROM ?? "Signet <signet@localhost.localdomain>",
    hashThreads: variables.SIGNET_HASH_THREADS ?? Math.ceil(availableParallelism() / workers),
    forwardAuth: Object.freeze({
      cookieName: variables.SIGNET_FORWARD_AUTH_COOKIE,
      loginUrl: variables.SIGNET_FORWARD_AUTH_LOGIN_URL,
      identitySeconds: variables.SIGNET_FORWARD_AUTH_IDENTITY_SECONDS,
    }),
    peers: Object.freeze(variables.SIGNET_PEERS),
    retention: Object.freeze({
      changeDays: variables.SIGNET_CHANGE_RETENTION_DAYS,
      changeRows: variables.SIGNET_CHANGE_RETENTION_ROWS,
      tombstoneDays: variables.SIGNET_TOMBSTONE_RETENTION_DAYS,
    }),
    signingKeyDays: variables.SIGNET_SIGNING_KEY_DAYS,
    metrics: toMetricsConfig(variables),
    logLevel: variables.LOG_LEVEL,
    workers,
    warnings: Object.freeze(warnings(variables)),
  });
}

function toMasterKeys({
  SIGNET_MASTER_KEYS: given,
  SIGNET_MASTER_KEY_VERSION: version,
}: ConfigVariables): MasterKeyConfig | undefined {
  return given && version ? encryptWith(given, version) : given;
}

function toMetricsConfig(variables: ConfigVariables): MetricsConfig | undefined {
  const { SIGNET_METRICS_KEY: key, SIGNET_METRICS_ADDRESS: address } = variables;
  return key || address ? Object.freeze({ key, address }) : undefined;
}

function toDatabaseConfig(variables: ConfigVariables): DatabaseConfig | undefined {
  const url = variables.DATABASE_URL;
  if (!url) return undefined;
  const directUrl = variables.DATABASE_DIRECT_URL ?? url;
  return Object.freeze({ url, directUrl, ownerUrl: variables.DATABASE_OWNER_URL });
}

/** Variables that other variables call for. */
const COMPANIONS: readonly (readonly [given: string, needed: string])[] = [
  ["DATABASE_URL", "SIGNET_OPERATOR_KEY"],
  ["DATABASE_URL", "SIGNET_MASTER_KEYS"],
  ["DATABASE_DIRECT_URL", "DATABASE_URL"],
  ["DATABASE_OWNER_URL", "DATABASE_URL"],
  ["SIGNET_MASTER_KEY_VERSION", "SIGNET_MASTER_KEYS"],
  ["SIGNET_TLS_CERT_FILE", "SIGNET_TLS_KEY_FILE"],
  ["SIGNET_TLS_KEY_FILE", "SIGNET_TLS_CERT_FILE"],
  ["SMTP_URL", "SMTP_FROM"],
];

function missing(env: Readonly<Record<string, unknown>>): string[] {
  return COMPANIONS.filter(([given, needed]) => given in env && !(needed in env)).map(
    ([given, needed]) => `${needed} is required with ${given}`,
  );
}

/** Passwords, and what is learnt of them, must not pass a network in the clear but one's own. */
function insecure(variables: ConfigVariables): string[] {
  const { SIGNET_BREACHED_PASSWORDS_URL: list, SIGNET_INTERNAL_HOSTS: internal } = variables;
  const isSafe = (text: string) => {
    const { protocol, hostname } = new URL(text);
    return protocol === "https:" || internal.includes(hostname.replace(/^\[(.*)\]$/, "$1"));
  };
  const rule = "must begin with https:// where SIGNET_INTERNAL_HOSTS does not have its host";
  return [
    ...(list === undefined || isSafe(list) ? [] : [`SIGNET_BREACHED_PASSWORDS_URL ${rule}`]),
    ...variables.SIGNET_PEERS.filter(({ url }) => !isSafe(url)).map(
      ({ name }) => `SIGNET_PEERS entry "${name}": url ${rule}`,
    ),
  ];
}

function keyless({
  SIGNET_MASTER_KEYS: given,
  SIGNET_MASTER_KEY_VERSION: version,
}: ConfigVariables) {
  if (!given || !version || given.keys.has(version)) return [];
  return [`SIGNET_MASTER_KEY_VERSION is ${version}, of which SIGNET_MASTER_KEYS has no key`];
}

/** Of the URLs that hold a password. */
const PASSWORD_URLS = [
  "DATABASE_URL",
  "DATABASE_DIRECT_URL",
  "DATABASE_OWNER_URL",
  "SMTP_URL",
] as const;

function knownPasswords(variables: ConfigVariables): string[] {
  const isKnown = (name: (typeof PASSWORD_URLS)[number]) => {
    const url = variables[name]?.reveal();
    return url !== undefined && hasKnownPassword(url);
  };
  return PASSWORD_URLS.filter(isKnown).map(
    (name) => `${name} has a password that everybody knows: make one by \`openssl rand -hex 32\``,
  );
}

/** A misspelt name must not silently leave a default in place. */
function unknown(env: Readonly<Record<string, unknown>>): string[] {
  const known = [...CONFIG_VARIABLES, ...COMMAND_LINE_VARIABLES];
  return Object.keys(env)
    .filter((name) => name.startsWith("SIGNET_") && !known.includes(name))
    .map((name) => `${name} is not a variable of Signet`);
}

function warnings(variables: ConfigVariables): string[] {
  const url = variables.SIGNET_PUBLIC_URL && new URL(variables.SIGNET_PUBLIC_URL);
  const found: string[] = [];
  if (url && url.protocol === "http:" && !isLoopback(url.hostname)) {
    found.push("SIGNET_PUBLIC_URL should be an https:// URL: signing keys are fetched from it");
  }
  const comesByTls = variables.SIGNET_TLS_CERT_FILE || (url && url.protocol === "https:");
  if (variables.SIGNET_HSTS_SUBDOMAINS && !comesByTls) {
    found.push("SIGNET_HSTS_SUBDOMAINS has no effect: SIGNET_PUBLIC_URL is no https:// URL");
  }
  if (variables.DATABASE_URL && !url) {
    found.push("SIGNET_PUBLIC_URL is not set: tokens name localhost as their issuer");
  }
  if (variables.DATABASE_URL && !variables.SMTP_URL) {
    found.push("SMTP_URL is not set: mails are printed instead of sent");
  }
  return found;
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}
