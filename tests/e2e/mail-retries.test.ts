import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import {
  createKey,
  createSite,
  grpcClients,
  refusal,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let opened: SiteOnService;

beforeAll(async () => {
  opened = await openSiteOnService();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("mails that are not tried any more", () => {
  test("are sent once they are asked for, with a link that is good", async () => {
    const { service, site } = opened;
    const email = await leaveDeadMail(site);

    const { retriedCount } = await site.backend.sites.retryMails({});
    const again = await site.backend.sites.retryMails({});

    const { token } = await mailTo(() => printedMails(service), email);
    const facts = await site.backend.auth.checkOneTimeToken({ token });
    const { events } = await site.backend.users.listAuditEvents({ kinds: ["site.mails_retried"] });
    expect([retriedCount, again.retriedCount]).toEqual([1, 0]);
    expect(facts).toMatchObject({ email });
    expect(events.map(({ facts: told }) => told)).toEqual([{ mails: "1" }]);
  });

  test("of another Site stay where they are", async () => {
    const { service, site, operator } = opened;
    const other = await createSite(operator);
    const backend = grpcClients(service.url, await createKey(operator, other));
    await leaveDeadMail(site);

    const { retriedCount } = await backend.sites.retryMails({});
    const foreign = await refusal(backend.sites.retryMails({ siteId: site.siteId }));

    expect(retriedCount).toBe(0);
    expect(foreign).toMatchObject({ reason: "SITE_NOT_FOUND" });
    expect(await site.backend.sites.retryMails({})).toMatchObject({ retriedCount: 1 });
  });

  test("are for keys with site.admin to ask for", async () => {
    const { service, site, operator } = opened;
    const scopes = [Scope.AUTH, Scope.USERS_WRITE];
    const narrow = grpcClients(service.url, await createKey(operator, site.siteId, { scopes }));

    expect(await refusal(narrow.sites.retryMails({}))).toMatchObject({ reason: "ACCESS_DENIED" });
  });

  test("are tried anew by signet site retry-mails", async () => {
    const { service, site } = opened;
    const email = await leaveDeadMail(site);
    const environment = { SIGNET_URL: service.url, SIGNET_KEY: service.operatorKey };

    const first = await runSignet(["site", "retry-mails", site.siteId], environment);
    const second = await runSignet(["site", "retry-mails", site.siteId, "--json"], environment);

    expect(first).toMatchObject({ exitCode: 0, stdout: "1 mail is in the queue again\n" });
    expect(JSON.parse(second.stdout)).toEqual({ retriedCount: 0 });
    await mailTo(() => printedMails(service), email);
  });
});

/** Leaves a mail in the queue as it is after its last attempt, and returns its address. */
async function leaveDeadMail({ siteId, backend }: TestSite): Promise<string> {
  const email = uniqueEmail();
  const { user } = await backend.users.createUser({ email });
  const job = { mail: "reset_password", siteId, userId: user?.id, redirectUrl: "" };
  await runAsAdmin(
    opened.database.adminUrl,
    `select from graphile_worker.add_job(
       'send_mail', '${JSON.stringify(job)}'::json, run_at => now() + interval '1 hour')`,
  );
  const dead = await runAsAdmin(
    opened.database.adminUrl,
    `update graphile_worker._private_jobs set attempts = max_attempts, run_at = now()
      where payload ->> 'userId' = '${user?.id}'
      returning id`,
  );
  expect(dead).toHaveLength(1);
  return email;
}
