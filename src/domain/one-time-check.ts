import type { EmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import { findUser } from "../store/users.ts";
import type { Deps } from "./deps.ts";
import { findPresentedToken, isUsable } from "./one-time.ts";

/** What a one-time token is for, and what its use takes. */
export interface OneTimeTokenFacts {
  readonly purpose: OneTimePurpose;
  readonly email: EmailAddress;
  readonly username: string | undefined;
  readonly passwordRequired: boolean;
  readonly redirectUrl: string;
  readonly expireTime: Date;
}

/**
 * Tells what a token is for, without using it.
 *
 * @throws {Failure} `one_time_token_invalid`
 */
export async function checkOneTimeToken(
  deps: Deps,
  siteId: SiteId,
  text: string,
): Promise<OneTimeTokenFacts> {
  const { site } = await deps.sites.get(siteId);
  return await deps.db.inSite(
    siteId,
    async (tx) => {
      const now = deps.clock.now();
      const { token } = await findPresentedToken(tx, siteId, text, undefined, now);
      const user = await findUser(tx, siteId, { by: "id", id: token.userId });
      if (!user || !isUsable(token, user)) throw new Failure("one_time_token_invalid");
      const { purpose, email, expireTime } = token;
      return {
        purpose,
        email,
        username: user.username,
        passwordRequired: takesPassword(purpose, user.passwordChangeTime !== undefined),
        redirectUrl: token.redirectUrl || site.frontendUrl,
        expireTime,
      };
    },
    { readOnly: true },
  );
}

function takesPassword(purpose: OneTimePurpose, hasPassword: boolean): boolean {
  switch (purpose) {
    case "verify_email":
      return !hasPassword;
    case "reset_password":
    case "accept_invitation":
      return true;
    case "change_email":
      return false;
  }
}
