import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { PeerUser } from "../model/peer.ts";
import { deletePeerChallenge } from "../store/peer-challenges.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, checkGuess, countGuess, wrongGuess } from "./guesses.ts";
import type { KnownSite } from "./known-sites.ts";
import { isUnverified, nameOf } from "./login-check.ts";
import { requireAskedFor } from "./peer-board.ts";
import { type FoundArrival, findArrival } from "./peer-challenges.ts";
import { copyUser, toUndefinedIfTaken } from "./peer-copies.ts";
import { amrOf, type FactorCode, type MfaAnswer } from "./second-factor.ts";
import { type StartedSession, startSession } from "./started-session.ts";
import { write } from "./write.ts";

/**
 * Completes a login whose second factor a Peer checks, makes the copy of the User and starts its
 * Session. Returns undefined for a token that belongs to no such login. A wrong code leaves the
 * challenge good.
 *
 * @throws {Failure} `login_failed`; `unavailable` while the Peer cannot be asked.
 */
export async function completeArrival(
  deps: Deps,
  caller: Caller,
  known: KnownSite,
  answer: MfaAnswer,
): Promise<StartedSession | undefined> {
  const siteId = known.site.id;
  const isPossible = deps.peers.board.peers.some((peer) => peer.siteId === siteId);
  const found = isPossible && (await findArrival(deps, siteId, answer.challengeToken));
  if (!found) return undefined;
  const { code, client } = answer;
  const identifier = nameOf(found.identifier);
  const flow = "second_factor";
  const guess = await countGuess(deps, siteId, { userId: undefined, identifier, flow, client });
  const source = await checkGuess(deps, siteId, guess, () =>
    guess.allowed ? checkThere(deps, found, answer) : Promise.resolve(undefined),
  );
  if (!source) throw await wrongGuess(deps, caller, siteId, guess);
  await deps.db.inSite(siteId, (tx) => acceptGuess(tx, siteId, guess));
  return await startArrived(deps, caller, known, { found, source, code });
}

/** Has the Peer check a code; undefined: it is wrong. @throws {Failure} `unavailable` */
async function checkThere(
  { peers: { board, client } }: Deps,
  { peer, token, identifier }: FoundArrival,
  { code, client: device }: MfaAnswer,
): Promise<PeerUser | undefined> {
  const proof = { challengeToken: token, code: toPeerCode(code), client: device };
  const answer = await board.ask(peer, async () => {
    const user = await client.completeMfa(peer, proof);
    return { user: user && requireAskedFor(peer, identifier, user) };
  });
  if (!answer) throw new Failure("unavailable", {}, { retryDelayMs: 1_000 });
  return answer.user;
}

async function startArrived(
  deps: Deps,
  caller: Caller,
  known: KnownSite,
  arrived: { readonly found: FoundArrival; readonly source: PeerUser; readonly code: FactorCode },
): Promise<StartedSession> {
  const { found, source, code } = arrived;
  const { peer, hash, identifier, audiences, client } = found;
  const { site } = known;
  const started = await write(deps, site.id, async (tx) => {
    if (!(await deletePeerChallenge(tx, site.id, found.tokenHash))) return undefined;
    const copied = await copyUser(deps, tx, site, { peer, source, hash, mfa: true, identifier });
    if (!copied) return undefined;
    const { user, credentials } = copied;
    if (isUnverified(user)) return "unverified" as const;
    const { generation } = credentials;
    const proved = { user, generation, audiences, client, amr: amrOf(code) };
    return await startSession(deps, tx, caller, known, proved, deps.clock.now());
  }).catch(toUndefinedIfTaken);
  if (started === "unverified") throw new Failure("email_unverified");
  if (!started) throw new Failure("login_failed");
  return started;
}

function toPeerCode({ by, code: value }: FactorCode) {
  return by === "totp"
    ? ({ case: "totpCode", value } as const)
    : ({ case: "recoveryCode", value } as const);
}
