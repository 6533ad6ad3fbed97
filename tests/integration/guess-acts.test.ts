import { afterAll, describe, expect, test } from "vitest";
import { challengeOf, codeAt, signUpWithFactor } from "../support/authenticator.ts";
import {
  createKey,
  createSite,
  grpcClients,
  patiently,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { logInWith, outcome } from "../support/guesses.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const LIMIT = 20;

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { operator, service, site } = opened;
const { backend } = site;
const { auth } = backend;
const asUser = (accessToken: string) => grpcClients(service.url, accessToken);

describe("in the audit log", () => {
  test("a run of wrong guesses is told once, and the lock once", async () => {
    const person = await signUp(backend);
    for (let n = 0; n < LIMIT + 5; n += 1) await outcome(logInWith(backend, person, `wrong ${n}`));

    expect(await guessesTold(person.userId)).toEqual(["user.locked", "login.failed"]);
  });

  test("many wrong guesses at once are told once", async () => {
    const person = await signUp(backend);
    const guess = (n: number) => outcome(logInWith(backend, person, `wrong ${n}`));

    await Promise.all(Array.from({ length: LIMIT - 1 }, (_, n) => guess(n)));

    expect(await guessesTold(person.userId)).toEqual(["login.failed"]);
  });

  test("another run is told again, once the owner has signed in", async () => {
    const person = await signUp(backend);
    for (const attempt of ["wrong", person.password, "wrong", "wrong"]) {
      await outcome(logInWith(backend, person, attempt));
    }

    expect(await guessesTold(person.userId)).toEqual(["login.failed", "login.failed"]);
  });

  test("guesses at names that nobody has are told once in a while, without a subject", async () => {
    const siteId = await createSite(operator);
    const other = grpcClients(service.url, await createKey(operator, siteId));
    for (let n = 0; n < LIMIT; n += 1) {
      const nobody = { email: uniqueEmail(), password: "wrong password" };
      expect(await outcome(logInWith(other, nobody))).toBe("LOGIN_FAILED");
    }

    const { events } = await other.users.listAuditEvents({ kinds: ["login.failed"] });

    expect(events).toHaveLength(1);
    expect(events[0]?.subject?.id ?? "").toBe("");
    expect(events[0]?.facts).toEqual({ flow: "login" });
  });

  test("a wrong code is told, by whatever it was asked for", async () => {
    const person = await signUpWithFactor(backend, asUser);
    const challengeToken = await challengeOf(backend, person);
    const code = { case: "recoveryCode", value: "aaaaa-aaaaa" } as const;
    await outcome(auth.completeMfa({ challengeToken, code }));

    const { events } = await backend.users.listAuditEvents({
      subjectId: person.userId,
      kinds: ["login.failed"],
    });

    expect(events.map(({ facts }) => facts.flow)).toEqual(["second_factor"]);
  });
});

describe("a right password", () => {
  test("counts as no guess, however often no code follows", async () => {
    const person = await signUpWithFactor(backend, asUser);
    for (let n = 0; n < LIMIT + 5; n += 1) await patiently(() => challengeOf(backend, person));

    const challengeToken = await challengeOf(backend, person);
    const code = { case: "totpCode", value: codeAt(person.secret, 1) } as const;

    const { session } = await auth.completeMfa({ challengeToken, code });
    expect(session?.tokens?.accessToken).not.toBe("");
    expect(await guessesTold(person.userId)).toEqual([]);
  });

  test("gives no new guesses at the code", async () => {
    const person = await signUpWithFactor(backend, asUser);
    for (let n = 0; n < LIMIT; n += 1) {
      const challengeToken = await patiently(() => challengeOf(backend, person));
      const code = { case: "recoveryCode", value: `wrong-${n}` } as const;
      expect(await outcome(auth.completeMfa({ challengeToken, code }))).toBe("LOGIN_FAILED");
    }

    expect(await outcome(challengeOf(backend, person))).toBe("LOGIN_FAILED");
    expect(await guessesTold(person.userId)).toEqual(["user.locked", "login.failed"]);
  });

  test("of an address that is not verified counts as no guess", async () => {
    const person = { email: uniqueEmail(), password: unique("correct horse") };
    const { userId } = await auth.register(person);
    for (let n = 0; n < LIMIT + 1; n += 1) {
      expect(await outcome(logInWith(backend, person))).toBe("EMAIL_UNVERIFIED");
    }

    expect(await guessesTold(userId)).toEqual([]);
  });
});

describe("a known device", () => {
  test("proves again who holds its Session while guesses from elsewhere are refused", async () => {
    const person = await signUp(backend);
    const { deviceToken, accessToken } = await onDevice(person);
    for (let n = 0; n < LIMIT; n += 1) await outcome(logInWith(backend, person, "wrong password"));
    const own = asUser(accessToken).auth;
    const { password } = person;

    const unknown = await outcome(own.reauthenticate({ password }));
    const known = await outcome(own.reauthenticate({ password, client: { deviceToken } }));
    const changed = await outcome(
      own.changePassword({
        currentPassword: password,
        newPassword: unique("a new password"),
        client: { deviceToken },
      }),
    );

    expect([unknown, known, changed]).toEqual(["LOGIN_FAILED", "", ""]);
  });

  test("has one limit for all that it guesses by", async () => {
    const person = await signUp(backend);
    const { deviceToken, accessToken } = await onDevice(person);
    const own = asUser(accessToken).auth;
    const client = { deviceToken };
    for (let n = 0; n < LIMIT / 2; n += 1) {
      await outcome(own.reauthenticate({ password: "wrong password", client }));
      await outcome(logInWith(backend, person, "wrong password", deviceToken));
    }

    const { password } = person;
    expect(await outcome(own.reauthenticate({ password, client }))).toBe("LOGIN_FAILED");
    expect(await outcome(own.reauthenticate({ password }))).toBe("");
  });
});

/** Kinds of the events about guesses, the newest first. */
async function guessesTold(subjectId: string): Promise<string[]> {
  const kinds = ["login.failed", "user.locked"];
  const { events } = await backend.users.listAuditEvents({ subjectId, kinds });
  return events.map(({ kind }) => kind);
}

async function onDevice({
  email,
  password,
}: {
  readonly email: string;
  readonly password: string;
}) {
  const deviceToken = unique("device");
  const identifier = { case: "email", value: email } as const;
  const { result } = await auth.login({ identifier, password, client: { deviceToken } });
  const accessToken = result.case === "session" ? (result.value.tokens?.accessToken ?? "") : "";
  return { deviceToken, accessToken };
}
