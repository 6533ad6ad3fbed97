import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { createCursorBox } from "./crypto/cursor-box.ts";
import type { HashQueue } from "./crypto/hash-queue.ts";
import { createKeyedDigest } from "./crypto/keyed-digest.ts";
import { createPasswordHasher } from "./crypto/password-hash.ts";
import { operatorKeyHash } from "./crypto/site-secret.ts";
import type { createSubkeys } from "./crypto/subkeys.ts";
import type { Deps } from "./domain/deps.ts";
import { createPeers } from "./domain/peers.ts";
import { systemClock } from "./model/clock.ts";
import type { Secret } from "./model/secret.ts";
import { createBreachedPasswords } from "./outbound/breached-passwords.ts";
import { createWebhookPost } from "./outbound/webhook-post.ts";
import { encodeUser } from "./rpc/convert-user.ts";
import { encodeWebhookEvent } from "./rpc/webhook-event.ts";
import type { Database } from "./store/database.ts";

/** What {@link createDeps} needs. */
export interface DepsOptions {
  readonly config: Config;
  readonly db: Database;
  readonly operatorKey: Secret;
  readonly log: Logger;
  readonly subkeys: ReturnType<typeof createSubkeys>;
  readonly hashQueue: HashQueue;
  /** What others have a hand in. */
  readonly shared: Pick<Deps, "envelope" | "sites" | "live" | "wakeReader">;
}

/** Builds what the rules of the domain work with. */
export async function createDeps(options: DepsOptions): Promise<Deps> {
  const { config, db, log, subkeys, hashQueue, shared } = options;
  return {
    ...shared,
    db,
    clock: systemClock,
    hasher: await createPasswordHasher(subkeys, hashQueue),
    breachedPasswords: askForBreaches(config, log),
    cursors: createCursorBox(subkeys),
    keyedDigest: createKeyedDigest(subkeys),
    operatorKeyHash: requireOperatorKeyHash(options.operatorKey),
    encodeUser,
    encodeWebhookEvent,
    webhookPost: createWebhookPost({ internalHosts: config.internalHosts }),
    peers: createPeers({ ...config, clock: systemClock, log }),
    publicUrl: config.publicUrl,
  };
}

function askForBreaches({ breachedPasswordsUrl, internalHosts }: Config, log: Logger) {
  if (breachedPasswordsUrl === undefined) return undefined;
  return createBreachedPasswords({
    url: new URL(breachedPasswordsUrl),
    internalHosts,
    onState: (state) => log.warn(state, "the list of breached passwords"),
  });
}

function requireOperatorKeyHash(operatorKey: Secret): Buffer {
  const hash = operatorKeyHash(operatorKey.reveal());
  if (!hash) throw new Error("the operator key is malformed");
  return hash;
}
