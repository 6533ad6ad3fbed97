import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { countRecoveryCodes } from "../store/second-factors.ts";
import { lockUser } from "../store/users.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, countGuess, tellWrongGuess } from "./guesses.ts";
import { findPresentedChallenge, useChallenge } from "./login-challenges.ts";
import { completeArrival } from "./peer-mfa.ts";
import { acceptCode, amrOf, type MfaAnswer } from "./second-factor.ts";
import { type StartedSession, startSession } from "./started-session.ts";
import { write } from "./write.ts";

/**
 * Completes a login with the second factor and starts the Session. A wrong code leaves the
 * challenge good.
 *
 * @throws {Failure} `one_time_token_invalid`, `login_failed`.
 */
export async function completeMfa(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { challengeToken, code, client }: MfaAnswer,
): Promise<{ readonly started: StartedSession; readonly codesLeft: number | undefined }> {
  const known = await deps.sites.get(siteId);
  const arrived = await completeArrival(deps, caller, known, { challengeToken, code, client });
  if (arrived) return { started: arrived, codesLeft: undefined };
  const { userId } = await deps.db.inSite(
    siteId,
    (tx) => findPresentedChallenge(tx, siteId, challengeToken, "code", deps.clock.now()),
    { readOnly: true },
  );
  const guess = await countGuess(deps, siteId, { userId, flow: "second_factor", client });
  const completed = await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const locked = await lockUser(tx, siteId, userId);
    const challenge = await findPresentedChallenge(tx, siteId, challengeToken, "code", now);
    if (locked?.user.state !== "active") throw new Failure("login_failed");
    if (!guess.allowed || !(await acceptCode(deps, tx, siteId, userId, code, now))) {
      await tellWrongGuess(deps, tx, caller, siteId, guess);
      return undefined; // Committed; the refusal follows.
    }
    await useChallenge(tx, siteId, challenge, now);
    await acceptGuess(tx, siteId, guess);
    const { generation, audiences } = challenge;
    const device = { ...client, ...challenge.client }; // As it was at the password.
    const proved = { user: locked.user, generation, audiences, client: device, amr: amrOf(code) };
    const started = await startSession(deps, tx, caller, known, proved, now);
    if (code.by === "totp") return { started, codesLeft: undefined };
    return { started, codesLeft: await countRecoveryCodes(tx, siteId, userId) };
  });
  if (!completed) throw new Failure("login_failed");
  return completed;
}
