import type { Client, UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { Secret } from "../model/secret.ts";
import type { Session } from "../model/session.ts";
import type { User } from "../model/user.ts";
import { findCredentials } from "../store/credentials.ts";
import { lockLiveSession, updateSessionProof } from "../store/sessions.ts";
import { findUser, lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import {
  acceptGuess,
  checkGuess,
  countGuess,
  takeBackGuess,
  tellWrongGuess,
  wrongGuess,
} from "./guesses.ts";
import { acceptCode, amrOf, type FactorCode } from "./second-factor.ts";
import { type AccessToken, mintAccessToken } from "./tokens.ts";
import { write } from "./write.ts";

/** What a User shows once more. */
export interface Proof {
  readonly password: Secret;
  /** Needed where the User has a second factor. */
  readonly code: FactorCode | undefined;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/**
 * Proves once more who holds the Session. Its refresh token stays as it is.
 *
 * @throws {Failure} `login_failed` if the password or the code is wrong, or a code is missing;
 *   `credential_invalid` if the Session has ended; `overloaded`.
 */
export async function reauthenticate(
  deps: Deps,
  caller: UserCaller,
  { password, code, client, signal }: Proof,
): Promise<{
  readonly user: User;
  readonly session: Session;
  readonly accessToken: AccessToken;
}> {
  const { siteId, userId } = caller;
  const known = await deps.sites.get(siteId);
  const guess = await countGuess(deps, siteId, { userId, flow: "reauthentication", client });
  const credentials = await deps.db.inSite(siteId, (tx) => findCredentials(tx, siteId, userId), {
    readOnly: true,
  });
  const stored = guess.allowed ? credentials?.password : undefined;
  const verify = () => deps.hasher.verify({ siteId, signal }, password, stored);
  const right = await checkGuess(deps, siteId, guess, verify);
  if (!right || !credentials) throw await wrongGuess(deps, caller, siteId, guess);
  const proved = await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    await lockUser(tx, siteId, userId);
    const user = await findUser(tx, siteId, { by: "id", id: userId });
    const live = await lockLiveSession(tx, siteId, caller.sessionId, now);
    const generation = (await findCredentials(tx, siteId, userId))?.generation;
    if (!live || user?.state !== "active" || generation !== credentials.generation) {
      throw new Failure("credential_invalid");
    }
    if (user.mfaEnabled) {
      const accepted = code && (await acceptCode(deps, tx, siteId, userId, code, now));
      if (!accepted) {
        if (code) await tellWrongGuess(deps, tx, caller, siteId, guess);
        else await takeBackGuess(tx, siteId, guess);
        return undefined; // Committed; the refusal follows.
      }
    }
    await acceptGuess(tx, siteId, guess);
    const amr = amrOf(user.mfaEnabled ? code : undefined);
    const session = await updateSessionProof(tx, siteId, live.id, { authTime: now, amr });
    const act = { kind: "session.reauthenticated", subjectId: userId, clientIp: client.ip };
    await recordAct(tx, siteId, caller, { ...act, details: { session_id: session.id } }, now);
    const accessToken = mintAccessToken(deps, known, session, user, generation);
    return { user, session, accessToken };
  });
  if (!proved) throw new Failure("login_failed");
  return proved;
}
