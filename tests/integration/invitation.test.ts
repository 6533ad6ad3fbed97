import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery, OneTimePurpose } from "../../gen/signet/v1/auth_service_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import {
  createKey,
  grpcClients,
  logIn,
  refusal,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const { RETURN_TOKEN } = Delivery;
const USED = { code: "FailedPrecondition", reason: "ONE_TIME_TOKEN_INVALID" };

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator, site } = opened;
const { backend } = site;

describe("an invitation", () => {
  test("leads to an account with a verified address, once it is accepted", async () => {
    const [email, password] = [uniqueEmail(), unique("my own horse")];
    const { user } = await backend.users.inviteUser({
      email,
      displayName: "Ada",
      roles: ["staff"],
    });
    const { token } = await mailTo(() => printedMails(service), email);

    const facts = await backend.auth.checkOneTimeToken({ token });
    const early = await refusal(logIn(backend, email, password));
    await backend.auth.acceptInvitation({ token, password, username: unique("ada") });
    const after = await backend.users.getUser({ userId: user?.id ?? "" });

    expect(user).toMatchObject({ state: UserState.INVITED, emailVerified: false });
    expect(facts).toMatchObject({
      purpose: OneTimePurpose.ACCEPT_INVITATION,
      passwordRequired: true,
    });
    expect(early).toMatchObject({ reason: "LOGIN_FAILED" });
    expect(after.user).toMatchObject({
      state: UserState.ACTIVE,
      emailVerified: true,
      displayName: "Ada",
      roles: ["staff"],
    });
    await expect(logIn(backend, email, password)).resolves.toBeDefined();
  });

  test("once more voids the older link, takes over what is new, and keeps the User", async () => {
    const email = uniqueEmail();
    const first = await invite({ email, displayName: "Ada", locale: "de" });
    const second = await invite({ email, displayName: "Ada Lovelace" });
    const accept = (token: string) =>
      backend.auth.acceptInvitation({ token, password: unique("my own horse") });

    const late = await refusal(accept(first.token));
    await accept(second.token);

    expect(second.user).toMatchObject({
      id: first.user?.id,
      displayName: "Ada Lovelace",
      locale: "de",
    });
    expect(late).toMatchObject(USED);
  });

  test("with the same id is a repeat, and makes no new link", async () => {
    const request = { id: crypto.randomUUID(), email: uniqueEmail() };
    const first = await invite(request);
    const second = await invite(request);

    expect(second).toEqual({ user: first.user, token: "" });
    expect(await refusal(invite({ ...request, email: uniqueEmail() }))).toMatchObject({
      reason: "ID_TAKEN",
    });
  });

  test("of somebody who has an account is refused", async () => {
    const { email } = await signUp(backend);

    expect(await refusal(backend.users.inviteUser({ email }))).toMatchObject({
      code: "AlreadyExists",
      reason: "EMAIL_TAKEN",
    });
  });

  test("of one person many times at once makes one User, and one link that works", async () => {
    const email = uniqueEmail();

    const invited = await Promise.all(Array.from({ length: 6 }, () => invite({ email })));
    const usable = await Promise.all(
      invited.map(({ token }) =>
        backend.auth.checkOneTimeToken({ token }).then(
          () => true,
          () => false,
        ),
      ),
    );

    expect(new Set(invited.map(({ user }) => user?.id)).size).toBe(1);
    expect(usable.filter(Boolean)).toHaveLength(1);
  });

  test("makes no admin by a key that may not", async () => {
    const scopes = [Scope.USERS_WRITE];
    const key = await createKey(operator, site.siteId, { scopes });
    const { users } = grpcClients(service.url, key);

    const refused = await refusal(users.inviteUser({ email: uniqueEmail(), roles: ["admin"] }));

    expect(refused).toMatchObject({ reason: "ACCESS_DENIED" });
  });

  test("whose username is taken is refused when accepted, and stays good", async () => {
    const username = unique("taken");
    await backend.users.createUser({ email: uniqueEmail(), username });
    const { token } = await invite({ email: uniqueEmail() });
    const password = unique("my own horse");

    const refused = await refusal(backend.auth.acceptInvitation({ token, password, username }));

    expect(refused).toMatchObject({ reason: "USERNAME_TAKEN" });
    await expect(backend.auth.acceptInvitation({ token, password })).resolves.toBeDefined();
  });
});

async function invite(request: Parameters<typeof backend.users.inviteUser>[0]) {
  const answer = await backend.users.inviteUser({ ...request, delivery: RETURN_TOKEN });
  return { user: answer.user, token: answer.oneTimeToken?.token ?? "" };
}
