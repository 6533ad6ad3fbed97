import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { PeerConfig } from "../model/peer.ts";
import type { PeerAnswer } from "../outbound/peer-client.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, checkGuess, takeBackGuess, wrongGuess } from "./guesses.ts";
import type { KnownSite } from "./known-sites.ts";
import {
  type Account,
  countLogin,
  findAccount,
  isUnverified,
  type LoginProof,
  nameOf,
} from "./login-check.ts";
import { requireAskedFor } from "./peer-board.ts";
import { mintPeerChallenge } from "./peer-challenges.ts";
import { copyUser, toUndefinedIfTaken } from "./peer-copies.ts";
import { inPeerTurn } from "./peer-turn.ts";
import type { ArrivedUser, PeerArrival } from "./peers.ts";
import { write } from "./write.ts";

export type { ArrivedUser } from "./peers.ts";

/** A login that Peers may be asked about. */
type Attempt = LoginProof & { readonly audiences: readonly string[] };

/** What the Peers have said; undefined: not one of them vouches for the two. */
type Found = PeerArrival | "unverified" | undefined;

/**
 * Asks the Peers of a Site about somebody who is unknown here, or whom the sync has brought
 * without a password. Returns undefined where the login is none of their concern.
 *
 * Logins at the same time with the same password are one in this process, and one after the other
 * over all processes: the second finds what the first has brought.
 *
 * @throws {Failure} `login_failed`, `email_unverified`, `overloaded`.
 */
export async function arriveFromPeer(
  deps: Deps,
  caller: Caller,
  known: KnownSite,
  attempt: Attempt,
): Promise<PeerArrival | undefined> {
  const { board, memory } = deps.peers;
  const siteId = known.site.id;
  const { identifier, password } = attempt;
  const askable = board.askable(siteId, identifier);
  if (askable.length === 0) return undefined;
  const account = await findAccount(deps, siteId, identifier);
  const peers = askable.filter((peer) => isConcernOf(peer, account));
  if (peers.length === 0) return undefined;
  const parts = [siteId, nameOf(identifier), password.reveal(), ...attempt.audiences];
  const name = memory.nameOf(parts);
  // It goes on for the others when the first of them leaves.
  const shared = { ...attempt, signal: AbortSignal.timeout(LIMITS.callTimeoutMsMax) };
  return await memory.share(name, () => arrive(deps, caller, known, shared, peers, name));
}

/** Refuses whoever is known here no faster than somebody whom the Peers were asked about. */
export async function refuseAsSlowly<T>(
  { peers: { board, memory } }: Deps,
  siteId: SiteId,
  { identifier, signal }: LoginProof,
  check: () => Promise<T>,
): Promise<T> {
  try {
    return await check();
  } catch (error) {
    const isRefusal = error instanceof Failure && error.reason === "login_failed";
    if (isRefusal && board.askable(siteId, identifier).length > 0) await memory.waitAsLong(signal);
    throw error;
  }
}

/** A copy without a password signs in at the Peer that it came from. */
function isConcernOf({ name }: PeerConfig, { user, credentials }: Account): boolean {
  if (!user) return true;
  const isBare = user.state === "active" && credentials !== undefined && !credentials.password;
  return isBare && user.origin?.kind === "peer" && user.origin.source === name;
}

async function arrive(
  deps: Deps,
  caller: Caller,
  known: KnownSite,
  attempt: Attempt,
  peers: readonly PeerConfig[],
  name: string,
): Promise<PeerArrival> {
  const { memory } = deps.peers;
  const siteId = known.site.id;
  const { signal, password } = attempt;
  const { guess } = await countLogin(deps, siteId, attempt);
  const found = await checkGuess(deps, siteId, guess, async (): Promise<Found> => {
    await deps.hasher.verify({ siteId, signal }, password, undefined);
    if (!guess.allowed || memory.isRefused(name)) {
      await memory.waitAsLong(signal);
      return undefined;
    }
    const beginMs = performance.now();
    const answer = await askInTurn(deps, known, attempt, peers, name);
    if (!answer) memory.noteDuration(performance.now() - beginMs);
    return answer;
  });
  if (!found) throw await wrongGuess(deps, caller, siteId, guess);
  const isChallenge = found !== "unverified" && found.outcome === "challenge";
  const settle = isChallenge ? takeBackGuess : acceptGuess;
  await deps.db.inSite(siteId, (tx) => settle(tx, siteId, guess));
  const isBarred = found === "unverified" || (!isChallenge && isUnverified(found.user));
  if (isBarred) throw new Failure("email_unverified");
  return found;
}

async function askInTurn(
  deps: Deps,
  known: KnownSite,
  attempt: Attempt,
  peers: readonly PeerConfig[],
  name: string,
): Promise<Found> {
  const siteId = known.site.id;
  const { identifier, password, signal } = attempt;
  const endMs = performance.now() + LIMITS.peerTimeoutMs;
  return await inPeerTurn(deps, siteId, nameOf(identifier), async () => {
    const { user, credentials } = await findAccount(deps, siteId, identifier);
    if (user && credentials?.password) {
      const right = await deps.hasher.verify({ siteId, signal }, password, credentials.password);
      return right && user.state === "active" ? { outcome: "user", user, credentials } : undefined;
    }
    return await askPeers(deps, known, attempt, peers, { name, endMs });
  });
}

/** Asks one Peer after the other, each for its share of the time that is left. */
async function askPeers(
  deps: Deps,
  known: KnownSite,
  attempt: Attempt,
  peers: readonly PeerConfig[],
  { name, endMs }: { readonly name: string; readonly endMs: number },
): Promise<Found> {
  const { board, client, memory } = deps.peers;
  let [refusals, isUnverifiedThere] = [0, false];
  for (const [n, peer] of peers.entries()) {
    const timeoutMs = Math.floor((endMs - performance.now()) / (peers.length - n));
    if (timeoutMs < 1) break;
    const answer = await board.ask(peer, async () => {
      const given = await client.verifyLogin(peer, attempt, timeoutMs);
      if (given.outcome === "user") requireAskedFor(peer, attempt.identifier, given.user);
      return given;
    });
    if (answer && answer.outcome !== "refused")
      return await settle(deps, known, attempt, peer, answer);
    if (answer) refusals += 1;
    if (answer?.isUnverified) isUnverifiedThere = true;
  }
  if (isUnverifiedThere) return "unverified";
  if (refusals === peers.length) memory.noteRefused(name);
  return undefined;
}

async function settle(
  deps: Deps,
  known: KnownSite,
  attempt: Attempt,
  peer: PeerConfig,
  answer: Exclude<PeerAnswer, { readonly outcome: "refused" }>,
): Promise<Found> {
  const { site } = known;
  const { password, signal, identifier } = attempt;
  const hash = await deps.hasher.hash({ siteId: site.id, signal }, password);
  if (answer.outcome === "challenge") {
    const { token, expireTime } = answer;
    const { audiences, client } = attempt;
    const waiting = { peer, token, identifier, hash, audiences, client };
    const challenge = await mintPeerChallenge(deps, site, waiting, expireTime);
    return { outcome: "challenge", challenge };
  }
  const vouched = { peer, source: answer.user, hash, mfa: false, identifier };
  const copy = (): Promise<ArrivedUser | undefined> =>
    write(deps, site.id, (tx) => copyUser(deps, tx, site, vouched));
  return await copy().catch(toUndefinedIfTaken);
}
