import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { AuthService, Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { MfaPolicy } from "../../gen/signet/v1/site_pb.ts";
import { AuditActorKind } from "../../gen/signet/v1/user_service_pb.ts";
import { ACCOUNT_ACTS } from "../support/account-acts.ts";
import { codeAt } from "../support/authenticator.ts";
import { grpcClients, openSite, signUp, unique, uniqueEmail } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { SESSION_ACTS } from "../support/session-acts.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service, site } = opened;
const { backend } = site;
const { auth } = backend;
const asUser = (accessToken: string) => grpcClients(service.url, accessToken);

/** What reads only, or makes tokens that are kept nowhere. */
const NO_ACTS: readonly (keyof typeof AuthService.method)[] = [
  "checkOneTimeToken",
  "validateToken",
  "exchangeToken",
  "listSessions",
];
const ACTS = [...ACCOUNT_ACTS, ...SESSION_ACTS];

describe("an act of an account's life", () => {
  test("is known for every RPC that has an effect", () => {
    const tested = [...ACTS.map(({ rpc }) => rpc), ...NO_ACTS];

    expect([...new Set(tested)].toSorted()).toEqual(Object.keys(AuthService.method).toSorted());
  });

  test.each(ACTS)(
    "is told by $rpc as $kinds, in its own transaction",
    async ({ kinds, actor, beside, perform }) => {
      const { userId } = await perform({ backend, asUser });

      const { events } = await backend.users.listAuditEvents({
        subjectId: userId,
        kinds: [...kinds],
      });
      const [event] = events;
      expect(event?.subject).toMatchObject({ kind: "user", id: userId });
      expect(event?.actor?.kind).toBe(
        actor === "user" ? AuditActorKind.USER : AuditActorKind.SITE_KEY,
      );
      expect(event?.actor?.id).toMatch(actor === "user" ? userId : /^[0-9a-f-]{36}$/);
      expect(await shareTransaction(event?.id ?? "", userId, beside)).toBe(true);
    },
  );

  test("is the enrolment that a Site requires of a login", async () => {
    const transport = createGrpcTransport({ baseUrl: service.url });
    const strict = await openSite(transport, service.operatorKey, {
      mfaPolicy: MfaPolicy.REQUIRED,
    });
    const email = uniqueEmail();
    const password = unique("correct horse");
    const { userId, oneTimeToken } = await strict.backend.auth.register({
      email,
      password,
      delivery: Delivery.RETURN_TOKEN,
    });
    await strict.backend.auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
    const identifier = { case: "email", value: email } as const;
    const { result } = await strict.backend.auth.login({ identifier, password });
    const enrollmentToken =
      result.case === "mfaEnrollment" ? result.value.enrollmentToken : "none was given";
    const { secret } = await strict.backend.auth.enrollTotp({ enrollmentToken });
    await strict.backend.auth.confirmTotp({ enrollmentToken, totpCode: codeAt(secret) });

    const { events } = await strict.backend.users.listAuditEvents({ subjectId: userId });

    const told = Object.fromEntries(events.map(({ kind, facts }) => [kind, facts]));
    expect(told["login.challenged"]).toEqual({ step: "enrollment" });
    expect(told["user.mfa_enrollment_started"]).toEqual({});
    expect(told["user.mfa_enrolled"]).toEqual({});
    expect(told["session.started"]).toMatchObject({ amr: "pwd, otp, mfa" });
  });

  test("is the registration of an address whose owner is known already", async () => {
    const { userId, email } = await signUp(backend);

    await auth.register({ email, password: unique("another password") });

    const kinds = ["user.registered_again"];
    expect((await backend.users.listAuditEvents({ subjectId: userId, kinds })).events).toHaveLength(
      1,
    );
  });
});

/** `xmin` is the transaction that has written a row last; `xid` has more digits of the same. */
async function shareTransaction(eventId: string, userId: string, table: string) {
  const [row] = await runAsAdmin<{ shared: boolean }>(
    database.adminUrl,
    `select exists (
       select from signet.audit_events e
         join ${table} t on t.xmin::text::bigint = e.xid::text::bigint % 4294967296
        where e.id = '${eventId}' and t.user_id = '${userId}') as shared`,
  );
  return row?.shared;
}
