import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Clients,
  logIn,
  patiently,
  refusalOf,
  type SignedIn,
  signUp,
} from "../support/builders.ts";
import {
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { expectAllVoid, resetPassword } from "../support/void-sessions.ts";
import { until } from "../support/waiting.ts";

/** At each process, so that some logins have their password checked already when it ends. */
const LOGINS_AT_ONCE = 3;
const PATIENCE_MS = 60_000;

let opened: SiteOnTwoProcesses;
let backend: Clients;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
  [backend] = opened.backends;
});

afterAll(() => opened[Symbol.asyncDispose]());

/** What ends a password or a User, by its name. */
const ENDS: readonly (readonly [string, (person: SignedIn) => Promise<unknown>])[] = [
  ["DisableUser", ({ userId }) => backend.users.disableUser({ userId })],
  ["DeleteUser", ({ userId }) => backend.users.deleteUser({ userId })],
  ["ResetPassword", ({ email }) => resetPassword(backend, email)],
];

describe("no login under way, at either process, begins a Session that is good after", () => {
  test.each(ENDS)("%s has returned", async (_name, end) => {
    const person = await signUp(backend);
    const given = [person];
    const logins = opened.backends.flatMap((each) =>
      Array.from({ length: LOGINS_AT_ONCE }, () => logInForever(each, person, given)),
    );
    await until(() => given.length > 2 * LOGINS_AT_ONCE, PATIENCE_MS);

    await end(person);
    const reasons = await Promise.all(logins);

    expect(new Set(reasons)).toEqual(new Set(["LOGIN_FAILED"]));
    await expectAllVoid(opened.backends, given);
  });
});

/** Logs in with the same password until that is refused; returns the reason. */
async function logInForever(
  clients: Clients,
  person: SignedIn,
  given: SignedIn[],
): Promise<string> {
  for (;;) {
    try {
      const session = await patiently(() => logIn(clients, person.email, person.password));
      given.push({ ...person, ...session });
    } catch (error) {
      return refusalOf(error).reason;
    }
  }
}
