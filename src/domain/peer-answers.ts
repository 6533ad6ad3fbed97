import type { SiteKeyCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import { isGeneration } from "../store/credentials.ts";
import { lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, countGuess, takeBackGuess, tellWrongGuess } from "./guesses.ts";
import {
  findPresentedChallenge,
  type MintedChallenge,
  mintLoginChallenge,
  useChallenge,
} from "./login-challenges.ts";
import { checkLogin, type LoginProof, missingStep } from "./login-check.ts";
import { acceptCode, type MfaAnswer } from "./second-factor.ts";

/** What another Signet is told of a password. */
export type VerifiedLogin =
  | { readonly outcome: "user"; readonly user: User }
  | { readonly outcome: "challenge"; readonly challenge: MintedChallenge };

/**
 * Verifies a login for another Signet. It is one as here in every respect, but starts no Session,
 * and asks no further Peer.
 *
 * @throws {Failure} `login_failed`, `email_unverified`, `mfa_not_enrolled`, `overloaded`.
 */
export async function verifyPeerLogin(
  deps: Deps,
  caller: SiteKeyCaller,
  proof: LoginProof,
): Promise<VerifiedLogin> {
  const { siteId } = caller;
  const { site } = await deps.sites.get(siteId);
  const { user, credentials, guess } = await checkLogin(deps, caller, siteId, proof);
  const { generation } = credentials;
  const step = missingStep(site, user);
  const verified = await deps.db.inSite(siteId, async (tx) => {
    const now = deps.clock.now();
    if (!(await isGeneration(tx, siteId, user.id, generation))) throw new Failure("login_failed");
    const act = { subjectId: user.id, clientIp: proof.client.ip };
    if (step === "code") {
      const challenge = await mintLoginChallenge(
        tx,
        site,
        waitingOf(caller, proof, user, generation),
        now,
      );
      await takeBackGuess(tx, siteId, guess);
      const challenged = { ...act, kind: "login.challenged", details: { step: "peer_code" } };
      await recordAct(tx, siteId, caller, challenged, now);
      return { outcome: "challenge", challenge } as const;
    }
    await acceptGuess(tx, siteId, guess);
    if (step) return undefined; // Committed; the refusal follows.
    await recordAct(tx, siteId, caller, { ...act, kind: "login.verified" }, now);
    return { outcome: "user", user } as const;
  });
  if (!verified) throw new Failure("mfa_not_enrolled");
  return verified;
}

/**
 * Checks a code for the Signet that has asked about the password. A wrong one leaves the challenge
 * good.
 *
 * @throws {Failure} `login_failed`
 */
export async function completePeerMfa(
  deps: Deps,
  caller: SiteKeyCaller,
  answer: MfaAnswer,
): Promise<User> {
  const { siteId, keyId } = caller;
  const { challengeToken, code, client } = answer;
  const find = async (tx: Parameters<typeof findPresentedChallenge>[0]) => {
    const now = deps.clock.now();
    const found = await findPresentedChallenge(tx, siteId, challengeToken, "peer_code", now).catch(
      toRefusal,
    );
    if (found.peerKeyId !== keyId) throw new Failure("login_failed");
    return found;
  };
  const { userId } = await deps.db.inSite(siteId, find, { readOnly: true });
  const guess = await countGuess(deps, siteId, { userId, flow: "second_factor", client });
  const user = await deps.db.inSite(siteId, async (tx) => {
    const now = deps.clock.now();
    const locked = await lockUser(tx, siteId, userId);
    const challenge = await find(tx);
    const isSame = await isGeneration(tx, siteId, userId, challenge.generation);
    if (locked?.user.state !== "active" || !isSame) throw new Failure("login_failed");
    if (!guess.allowed || !(await acceptCode(deps, tx, siteId, userId, code, now))) {
      await tellWrongGuess(deps, tx, caller, siteId, guess);
      return undefined; // Committed; the refusal follows.
    }
    await useChallenge(tx, siteId, challenge, now).catch(toRefusal);
    await acceptGuess(tx, siteId, guess);
    const act = { kind: "login.verified", subjectId: userId, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    return locked.user;
  });
  if (!user) throw new Failure("login_failed");
  return user;
}

/** Tells another Signet about the Site of its key. */
export async function siteOfPeer(deps: Deps, caller: SiteKeyCaller): Promise<Site> {
  return (await deps.sites.get(caller.siteId)).site;
}

function waitingOf(
  { keyId: peerKeyId }: SiteKeyCaller,
  { client }: LoginProof,
  { id: userId }: User,
  generation: number,
) {
  return { step: "peer_code", userId, generation, audiences: [], client, peerKeyId } as const;
}

/** To another Signet a challenge that is no good looks like a code that is none. */
function toRefusal(error: unknown): never {
  if (error instanceof Failure && error.reason === "one_time_token_invalid") {
    throw new Failure("login_failed");
  }
  throw error;
}
