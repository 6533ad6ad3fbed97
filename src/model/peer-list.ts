import { Failure } from "./failure.ts";
import { idFromBytes, parseId, type SiteId } from "./id.ts";
import { LIMITS } from "./limits.ts";
import { PEER_FIELDS, type PeerConfig, type PeerField } from "./peer.ts";
import { secret } from "./secret.ts";
import { canonicalDomain, parseHttpUrl } from "./url.ts";

/** Peers as they were configured; with problems, there are none. */
export interface PeerList {
  readonly peers: readonly PeerConfig[];
  /** What is wrong, each naming its entry; no problem holds a value. */
  readonly problems: readonly string[];
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
/** The id of its Site in 16 bytes, and 32 random ones. */
const KEY = /^sgn_site_([\w-]{64})$/;
const SITE_ID_BYTES = 16;
const FIELDS_DEFAULT: readonly PeerField[] = PEER_FIELDS.filter((name) => name !== "metadata");

const MEMBERS = ["name", "url", "key", "site_id", "user_fields", "email_domains", "sync"];

/** Reads Peers from a JSON list of objects; the empty text is no Peer. */
export function readPeers(text: string): PeerList {
  if (text.trim() === "") return { peers: [], problems: [] };
  const entries = toJson(text);
  if (!Array.isArray(entries)) {
    return { peers: [], problems: ["must be a JSON list of peers: see docs/guides/peers.md"] };
  }
  if (entries.length > LIMITS.peersMax) {
    return { peers: [], problems: [`must have at most ${LIMITS.peersMax} peers`] };
  }
  const problems: string[] = [];
  const peers: PeerConfig[] = [];
  for (const [index, entry] of entries.entries()) {
    const label = labelOf(entry, index);
    try {
      const peer = readPeer(entry);
      if (peers.some(({ name }) => name === peer.name)) throw new EntryError("name is taken twice");
      peers.push(peer);
    } catch (error) {
      if (!(error instanceof EntryError)) throw error;
      problems.push(`${label} ${error.message}`);
    }
  }
  return problems.length > 0 ? { peers: [], problems } : { peers, problems };
}

class EntryError extends Error {}

type Entry = Readonly<Record<string, unknown>>;

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** People count from 1. A name is shown only if it is one: it may be a misplaced key. */
function labelOf(entry: unknown, index: number): string {
  const name = isEntry(entry) ? entry.name : undefined;
  return typeof name === "string" && NAME.test(name) ? `entry "${name}":` : `entry ${index + 1}:`;
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readPeer(entry: unknown): PeerConfig {
  if (!isEntry(entry)) throw new EntryError("must be an object");
  const [stranger] = Object.keys(entry).filter((name) => !MEMBERS.includes(name));
  // It is not shown, since it may be anything.
  if (stranger !== undefined) throw new EntryError(`may have only ${MEMBERS.join(", ")}`);
  const name = textOf(entry, "name");
  if (!NAME.test(name)) {
    throw new EntryError("name must have 1 to 64 of a-z, 0-9 and hyphens");
  }
  const key = textOf(entry, "key");
  const userFields = readFields(entry);
  return {
    name,
    url: readUrl(textOf(entry, "url")),
    key: secret(key),
    peerSiteId: readKeySite(key),
    siteId: parsed("site_id", () => parseId<SiteId>(textOf(entry, "site_id"), "site_id")),
    userFields,
    emailDomains: readDomains(entry),
    sync: readFlag(entry, "sync"),
  };
}

function textOf(entry: Entry, member: string): string {
  const value = entry[member];
  if (typeof value === "string" && value !== "") return value;
  throw new EntryError(value === undefined ? `${member} is missing` : `${member} must be a text`);
}

function readUrl(text: string): string {
  const url = parsed("url", () => parseHttpUrl(text, "url", { plainAllowed: true }));
  if (/[?#]/.test(url)) throw new EntryError("url must have no query");
  return url.replace(/\/+$/, "");
}

function readKeySite(key: string): SiteId {
  const [, body = ""] = KEY.exec(key) ?? [];
  if (body === "") throw new EntryError("key must be a site key (sgn_site_…)");
  return idFromBytes<SiteId>(Buffer.from(body, "base64url").subarray(0, SITE_ID_BYTES));
}

function readFields(entry: Entry): readonly PeerField[] {
  if (entry.user_fields === undefined) return FIELDS_DEFAULT;
  const names = listOf(entry, "user_fields");
  const fields = PEER_FIELDS.filter((field) => names.includes(field));
  if (fields.length !== new Set(names).size) {
    throw new EntryError(`user_fields may have only ${PEER_FIELDS.join(", ")}`);
  }
  if (!fields.includes("email") && !fields.includes("username")) {
    throw new EntryError("user_fields must have email or username");
  }
  return fields;
}

function readDomains(entry: Entry): readonly string[] {
  if (entry.email_domains === undefined) return [];
  const domains = listOf(entry, "email_domains").map(canonicalDomain);
  const known = domains.filter((domain) => domain !== undefined);
  if (known.length === domains.length && known.length > 0) return known;
  throw new EntryError("email_domains must be a list of domains");
}

function listOf(entry: Entry, member: string): readonly string[] {
  const value = entry[member];
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  if (isList && value.length <= LIMITS.peerListMax) return value;
  throw new EntryError(`${member} must be a list of at most ${LIMITS.peerListMax} texts`);
}

function readFlag(entry: Entry, member: string): boolean {
  const value = entry[member] ?? false;
  if (typeof value === "boolean") return value;
  throw new EntryError(`${member} must be true or false`);
}

function parsed<T>(member: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new EntryError(`${member} ${error.metadata.problem}`);
  }
}
