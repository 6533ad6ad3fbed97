import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Clients,
  logIn,
  patiently,
  refusal,
  refusalOf,
  type SignedIn,
  signUp,
  uniqueEmail,
} from "../support/builders.ts";
import {
  clientsOfBoth,
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { until } from "../support/waiting.ts";

const ROUNDS = 15;
const ADMIN = { roles: ["admin"] };
const NOBODY = { roles: ["user"] };

/** Takes an admin from the Site. */
type Take = (as: Clients, userId: string) => Promise<unknown>;

const TAKES: readonly (readonly [string, Take])[] = [
  ["UpdateUser", ({ users }, userId) => users.updateUser({ userId, roles: NOBODY })],
  ["DisableUser", ({ users }, userId) => users.disableUser({ userId })],
  ["DeleteUser", ({ users }, userId) => users.deleteUser({ userId })],
];

let opened: SiteOnTwoProcesses;
let backends: readonly [Clients, Clients];

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
  backends = opened.backends;
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("the last two admins of a Site", () => {
  test.each(TAKES)("are not both taken by %s at once, at two processes", async (_name, take) => {
    const [here, there] = backends;
    for (let round = 0; round < ROUNDS; round += 1) {
      const [first, second] = await makeTwoTheOnlyAdmins();
      const outcomes = await Promise.all([
        outcomeOf(() => take(here, first)),
        outcomeOf(() => take(there, second)),
      ]);

      expect(outcomes.sort()).toEqual(["LAST_ADMIN", "done"]);
      expect(await activeAdmins()).toHaveLength(1);
    }
  });

  test("are not both taken by different calls at once", async () => {
    for (const [, one] of TAKES) {
      for (const [, other] of TAKES) {
        const [first, second] = await makeTwoTheOnlyAdmins();
        const outcomes = await Promise.all([
          outcomeOf(() => one(backends[0], first)),
          outcomeOf(() => other(backends[1], second)),
        ]);

        expect(outcomes.sort()).toEqual(["LAST_ADMIN", "done"]);
      }
    }
  });

  test("do not both take the role from each other", async () => {
    for (let round = 0; round < 5; round += 1) {
      const [ada, grace] = [await signUpAdmin(), await signUpAdmin()];
      await keepOnly(ada.userId, grace.userId);
      const [asAda] = clientsOfBoth(opened.services, ada.accessToken);
      const [, asGrace] = clientsOfBoth(opened.services, grace.accessToken);
      const outcomes = await Promise.all([
        outcomeOf(() => asAda.users.updateUser({ userId: grace.userId, roles: NOBODY })),
        outcomeOf(() => asGrace.users.updateUser({ userId: ada.userId, roles: NOBODY })),
      ]);

      expect(outcomes).toContain("done");
      expect(outcomes.join()).toMatch(/LAST_ADMIN|CREDENTIAL_INVALID/);
      expect(await activeAdmins()).toHaveLength(1);
    }
  });
});

describe("an admin whose role is taken at one process", () => {
  test("cannot give it back to itself at the other, not even at the same instant", async () => {
    await makeTwoTheOnlyAdmins();
    for (let round = 0; round < 5; round += 1) {
      const former = await signUpAdmin();
      const [, atOther] = clientsOfBoth(opened.services, former.accessToken);
      const { userId } = former;
      const taken = backends[0].users.updateUser({ userId, roles: NOBODY });
      const attempts = Promise.allSettled(
        Array.from({ length: 10 }, () => atOther.users.updateUser({ userId, roles: ADMIN })),
      );
      await Promise.all([taken, attempts]);

      expect(await activeAdmins()).not.toContain(userId);
    }
  });

  test("is refused there within 1 s", async () => {
    await makeTwoTheOnlyAdmins();
    const former = await signUpAdmin();
    const [, atOther] = clientsOfBoth(opened.services, former.accessToken);
    await atOther.users.listUsers({});
    await backends[0].users.updateUser({ userId: former.userId, roles: NOBODY });

    await until(async () => {
      const { reason } = await refusal(atOther.users.listUsers({}));
      return reason === "CREDENTIAL_INVALID";
    }, 1_000);
  });
});

/** Makes two new admins, who are the Site's only ones. */
async function makeTwoTheOnlyAdmins(): Promise<[string, string]> {
  const [{ users }] = backends;
  const make = async () => {
    const { user } = await users.createUser({ email: uniqueEmail(), ...ADMIN });
    return user?.id ?? "";
  };
  const [first, second] = [await make(), await make()];
  await keepOnly(first, second);
  return [first, second];
}

async function keepOnly(...kept: readonly string[]): Promise<void> {
  for (const userId of await activeAdmins()) {
    if (!kept.includes(userId)) await backends[0].users.updateUser({ userId, roles: NOBODY });
  }
}

async function activeAdmins(): Promise<string[]> {
  const { users } = await backends[0].users.listUsers({ filter: { role: "admin", states: [1] } });
  return users.map(({ id }) => id);
}

async function signUpAdmin(): Promise<SignedIn> {
  const person = await patiently(() => signUp(backends[0]));
  await backends[0].users.updateUser({ userId: person.userId, roles: ADMIN });
  const { email, password } = person;
  return { ...person, ...(await patiently(() => logIn(backends[0], email, password))) };
}

async function outcomeOf(call: () => Promise<unknown>): Promise<string> {
  return await call().then(
    () => "done",
    (error: unknown) => refusalOf(error).reason,
  );
}
