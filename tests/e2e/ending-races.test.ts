import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Clients,
  logIn,
  refusal,
  refusalOf,
  type SignedIn,
  signUp,
  unique,
} from "../support/builders.ts";
import {
  atOnce,
  clientsOfBoth,
  inParallel,
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { until } from "../support/waiting.ts";

const INVALID = { code: "Unauthenticated", reason: "REFRESH_TOKEN_INVALID" };
const SESSIONS = 4;
const PRESENTERS = 4;
const PATIENCE_MS = 60_000;

type Session = Pick<SignedIn, "accessToken" | "refreshToken">;

/** Somebody with Sessions, all of which are refreshed at both processes as fast as they can. */
interface BusyUser {
  readonly person: SignedIn;
  readonly sessions: readonly Session[];
  /** Every pair of tokens that was given out. */
  readonly given: readonly Session[];
  /** Waits until each Session has been refreshed a few times more. */
  underWay(): Promise<void>;
  /** Waits until each Session has been refused. */
  refused(): Promise<void>;
}

let opened: SiteOnTwoProcesses;
let backend: Clients;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
  [backend] = opened.backends;
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("nothing that a refresh gives out, at either process, is good after", () => {
  test("Logout has returned", async () => {
    const user = await startRefreshing();
    await user.underWay();

    await Promise.all(
      user.sessions.map(({ refreshToken }) => backend.auth.logout({ refreshToken })),
    );
    await user.refused();

    await expectAllVoid(user.given);
  });

  test("DisableUser has returned", async () => {
    const user = await startRefreshing();
    await user.underWay();

    await backend.users.disableUser({ userId: user.person.userId });
    await user.refused();

    await expectAllVoid(user.given);
  });

  test("ChangePassword has returned, but for the tokens that it answers with", async () => {
    const user = await startRefreshing();
    await user.underWay();
    const [first] = clientsOfBoth(opened.services, user.person.accessToken);

    const { tokens } = await first.auth.changePassword({ newPassword: unique("new horse") });
    await user.refused();

    await expectAllVoid(user.given);
    const { refreshToken = "", accessToken: token = "" } = tokens ?? {};
    const checked = await atOnce(opened.backends, 2, ({ auth }) => auth.validateToken({ token }));
    expect(checked.map(({ result }) => result.case)).toEqual(["valid", "valid"]);
    await expect(backend.auth.refreshToken({ refreshToken })).resolves.toBeDefined();
  });

  test("RevokeAllSessions has returned", async () => {
    const user = await startRefreshing();
    await user.underWay();

    await backend.auth.revokeAllSessions({ userId: user.person.userId });
    await user.refused();

    await expectAllVoid(user.given);
  });
});

async function startRefreshing(): Promise<BusyUser> {
  const person = await signUp(backend);
  const sessions: Session[] = [person];
  while (sessions.length < SESSIONS) {
    sessions.push(await logIn(backend, person.email, person.password));
  }
  const given: Session[] = [...sessions];
  const rounds = sessions.map(() => 0);
  const refusals = sessions.map((session, n) =>
    refusal(
      refreshForever(session, (tokens) => {
        given.push(...tokens);
        rounds[n] = (rounds[n] ?? 0) + 1;
      }),
    ),
  );
  return {
    person,
    sessions,
    given,
    async underWay() {
      await until(() => rounds.every((count) => count >= 3), PATIENCE_MS);
    },
    async refused() {
      for (const refused of await Promise.all(refusals)) expect(refused).toMatchObject(INVALID);
    },
  };
}

/** Presents each token several times at once, and goes on with its successor, until refused. */
async function refreshForever(
  { refreshToken: first }: Session,
  take: (given: readonly Session[]) => void,
): Promise<never> {
  for (let refreshToken = first; ; ) {
    const outcomes = await atOnce(opened.backends, PRESENTERS, async ({ auth }) => {
      const [outcome] = await Promise.allSettled([auth.refreshToken({ refreshToken })]);
      return outcome;
    });
    const tokens = outcomes.flatMap((each) =>
      each.status === "fulfilled" ? (each.value.tokens ?? []) : [],
    );
    take(tokens);
    for (const each of outcomes) {
      // A machine with too much to do answers UNAVAILABLE; the same token is presented again.
      if (each.status === "rejected" && isRefused(each.reason)) throw each.reason;
    }
    refreshToken = tokens[0]?.refreshToken ?? refreshToken;
  }
}

function isRefused(error: unknown): boolean {
  return refusalOf(error).reason === INVALID.reason;
}

/** How soon is tested elsewhere, on a machine that has the time; here it counts that all are. */
async function expectAllVoid(given: readonly Session[]): Promise<void> {
  expect(given.length).toBeGreaterThan(SESSIONS);
  for (const backend of opened.backends) {
    await until(async () => {
      const answers = await inParallel(given, 8, ({ accessToken: token }) =>
        backend.auth.validateToken({ token }),
      );
      return answers.every(({ result }) => result.case === "invalid");
    }, PATIENCE_MS);
    const tokens = new Set(given.map(({ refreshToken }) => refreshToken));
    const refusals = await inParallel([...tokens], 8, (refreshToken) =>
      refusal(backend.auth.refreshToken({ refreshToken })),
    );
    for (const refused of refusals) expect(refused).toMatchObject(INVALID);
  }
}
