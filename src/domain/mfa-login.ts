import type { Caller, Client } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { countRecoveryCodes } from "../store/second-factors.ts";
import { lockUser } from "../store/users.ts";
import type { Deps } from "./deps.ts";
import { countGuess, forgiveGuesses } from "./guesses.ts";
import { findPresentedChallenge, useChallenge } from "./login-challenges.ts";
import { acceptCode, type FactorCode } from "./second-factor.ts";
import { type StartedSession, startSession } from "./started-session.ts";
import { write } from "./write.ts";

/** What completes a login. */
export interface MfaAnswer {
  readonly challengeToken: string;
  readonly code: FactorCode;
  readonly client: Client;
}

/**
 * Completes a login with the second factor and starts the Session. A wrong code leaves the
 * challenge good.
 *
 * @throws {Failure} `one_time_token_invalid`, `login_failed`, `rate_limited`.
 */
export async function completeMfa(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { challengeToken, code, client }: MfaAnswer,
): Promise<{ readonly started: StartedSession; readonly codesLeft: number | undefined }> {
  const known = await deps.sites.get(siteId);
  const { userId } = await deps.db.inSite(
    siteId,
    (tx) => findPresentedChallenge(tx, siteId, challengeToken, "code", deps.clock.now()),
    { readOnly: true },
  );
  const allowed = await countGuess(deps, siteId, { userId, client });
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const locked = await lockUser(tx, siteId, userId);
    const challenge = await findPresentedChallenge(tx, siteId, challengeToken, "code", now);
    if (locked?.user.state !== "active") throw new Failure("login_failed");
    if (!allowed || !(await acceptCode(deps, tx, siteId, userId, code, now))) {
      throw new Failure("login_failed");
    }
    await useChallenge(tx, siteId, challenge, now);
    await forgiveGuesses(tx, siteId, userId);
    const { generation, audiences } = challenge;
    const amr = code.by === "totp" ? ["pwd", "otp", "mfa"] : ["pwd", "mfa"];
    const proved = { user: locked.user, generation, audiences, client: challenge.client, amr };
    const started = await startSession(deps, tx, caller, known, proved, now);
    if (code.by === "totp") return { started, codesLeft: undefined };
    return { started, codesLeft: await countRecoveryCodes(tx, siteId, userId) };
  });
}
