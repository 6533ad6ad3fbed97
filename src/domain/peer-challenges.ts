import type { PasswordHash } from "../crypto/password-hash.ts";
import { mintSiteSecret, readSiteSecret } from "../crypto/site-secret.ts";
import type { Client } from "../model/caller.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import type { SiteId } from "../model/id.ts";
import type { PeerConfig } from "../model/peer.ts";
import { type Secret, secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import { parseUsername } from "../model/username.ts";
import { findPeerChallenge, insertPeerChallenge } from "../store/peer-challenges.ts";
import type { Deps } from "./deps.ts";
import type { MintedChallenge } from "./login-challenges.ts";
import type { LoginProof } from "./login-check.ts";

/** A login whose password a Peer has verified, and whose code it has yet to. */
export interface WaitingArrival {
  readonly peer: PeerConfig;
  /** The challenge of the Peer. */
  readonly token: Secret;
  readonly identifier: LoginProof["identifier"];
  readonly hash: PasswordHash;
  readonly audiences: readonly string[];
  readonly client: Client;
}

/** A challenge that was found by its token. */
export interface FoundArrival extends WaitingArrival {
  readonly tokenHash: Buffer;
}

/** Makes the token with which the login goes on here; the one of the Peer stays here. */
export async function mintPeerChallenge(
  deps: Deps,
  { id: siteId, lifetimes }: Site,
  { peer, audiences, client, ...waiting }: WaitingArrival,
  expireTimeThere: Date,
): Promise<MintedChallenge> {
  const { text, hash: tokenHash } = mintSiteSecret("one_time_token", siteId);
  const now = deps.clock.now();
  const expireMs = now.getTime() + lifetimes.mfaChallengeSeconds * 1_000;
  // The Peer's clock may be wrong, but its challenge is not good for longer than it says.
  const expireTime = new Date(Math.min(expireMs, expireTimeThere.getTime()));
  const { identifier, token, hash } = waiting;
  const state = { identifier, token: token.reveal(), hash };
  const sealed = deps.envelope.seal(scopeOf(siteId, tokenHash), Buffer.from(JSON.stringify(state)));
  const row = { tokenHash, peer: peer.name, state: sealed, audiences, client, expireTime };
  await deps.db.inSite(siteId, (tx) => insertPeerChallenge(tx, siteId, row, now));
  return { text, expireTime };
}

/** Finds the login that a presented token belongs to; undefined: none that a Peer waits for. */
export async function findArrival(
  deps: Deps,
  siteId: SiteId,
  text: string,
): Promise<FoundArrival | undefined> {
  const presented = readSiteSecret("one_time_token", text);
  if (presented?.siteId !== siteId) return undefined;
  const challenge = await deps.db.inSite(
    siteId,
    (tx) => findPeerChallenge(tx, siteId, presented.hash, deps.clock.now()),
    { readOnly: true },
  );
  const peer = challenge && deps.peers.board.find(challenge.peer);
  if (!peer) return undefined;
  const { tokenHash, state, audiences, client } = challenge;
  const opened = deps.envelope.open(scopeOf(siteId, tokenHash), state).toString();
  const { identifier, token, hash } = JSON.parse(opened) as SealedState;
  return {
    peer,
    tokenHash,
    audiences,
    client,
    hash,
    token: secret(token),
    identifier:
      identifier.by === "email"
        ? { by: "email", email: parseEmailAddress(identifier.email, "email") }
        : { by: "username", username: parseUsername(identifier.username, "username") },
  };
}

/** It has come out of this process, or another one of the same Signet. */
interface SealedState {
  readonly identifier: LoginProof["identifier"];
  readonly token: string;
  readonly hash: PasswordHash;
}

function scopeOf(siteId: SiteId, tokenHash: Buffer) {
  return { purpose: "peer_challenge", siteId, context: [tokenHash.toString("hex")] };
}
