import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import type { MailJob } from "../store/mail-jobs.ts";
import { findUser } from "../store/users.ts";
import type { Deps } from "./deps.ts";
import { mintOneTimeToken } from "./one-time.ts";

/** What a mail of a job says; its token is made now and was never stored. */
export type PreparedMail =
  | {
      readonly mail: "verify_email";
      readonly site: Site;
      readonly user: User;
      readonly token: Secret;
    }
  | { readonly mail: "registered_already"; readonly site: Site; readonly user: User };

/**
 * Prepares the mail of a job. Returns undefined where there is nothing left to send: the User
 * was deleted, or has verified the address meanwhile.
 */
export async function prepareMail(deps: Deps, job: MailJob): Promise<PreparedMail | undefined> {
  const { siteId, userId, redirectUrl } = job;
  const { site } = await deps.sites.get(siteId);
  return await deps.db.inSite(siteId, async (tx) => {
    const user = await findUser(tx, siteId, { by: "id", id: userId });
    if (!user?.email) return undefined;
    if (job.mail === "registered_already") return { mail: job.mail, site, user };
    if (user.emailVerified || user.state !== "active") return undefined;
    const { text } = await mintOneTimeToken(
      tx,
      site,
      { purpose: "verify_email", userId, email: user.email, redirectUrl },
      deps.clock.now(),
    );
    return { mail: job.mail, site, user, token: text };
  });
}
