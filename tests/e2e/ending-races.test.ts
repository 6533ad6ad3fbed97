import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RefreshTokenResponse } from "../../gen/signet/v1/auth_service_pb.ts";
import { codeAt } from "../support/authenticator.ts";
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
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { expectAllVoid, resetPassword } from "../support/void-sessions.ts";
import { until } from "../support/waiting.ts";

const INVALID = { code: "Unauthenticated", reason: "REFRESH_TOKEN_INVALID" };
const SESSIONS = 4;
const PRESENTERS = 4;
const PATIENCE_MS = 60_000;

type Session = Pick<SignedIn, "accessToken" | "refreshToken">;
type TokenPair = NonNullable<RefreshTokenResponse["tokens"]>;

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

    await expectAllVoid(opened.backends, user.given);
  });

  test("DisableUser has returned", async () => {
    const user = await startRefreshing();
    await user.underWay();

    await backend.users.disableUser({ userId: user.person.userId });
    await user.refused();

    await expectAllVoid(opened.backends, user.given);
  });

  test("ChangePassword has returned, but for the tokens that it answers with", async () => {
    const user = await startRefreshing();
    await user.underWay();
    const [first] = clientsOfBoth(opened.services, user.person.accessToken);

    const { tokens } = await first.auth.changePassword({ newPassword: unique("new horse") });
    await user.refused();

    await expectAllVoid(opened.backends, user.given);
    await expectValid(tokens);
  });

  test("DeleteUser has returned", async () => {
    const user = await startRefreshing();
    await user.underWay();

    await backend.users.deleteUser({ userId: user.person.userId });
    await user.refused();

    await expectAllVoid(opened.backends, user.given);
  });

  test("ResetPassword has returned", async () => {
    const user = await startRefreshing();
    await user.underWay();

    await resetPassword(backend, user.person.email);
    await user.refused();

    await expectAllVoid(opened.backends, user.given);
  });

  test("ConfirmTotp has returned, but for the tokens that it answers with", async () => {
    const user = await startRefreshing();
    await user.underWay();
    const [first] = clientsOfBoth(opened.services, user.person.accessToken);
    const { secret } = await first.auth.enrollTotp({});

    const { session } = await first.auth.confirmTotp({ totpCode: codeAt(secret) });
    await user.refused();

    await expectAllVoid(opened.backends, user.given);
    await expectValid(session?.tokens);
  });

  test("RevokeAllSessions has returned", async () => {
    const user = await startRefreshing();
    await user.underWay();

    await backend.auth.revokeAllSessions({ userId: user.person.userId });
    await user.refused();

    await expectAllVoid(opened.backends, user.given);
  });
});

async function expectValid(tokens: TokenPair | undefined): Promise<void> {
  const { refreshToken = "", accessToken: token = "" } = tokens ?? {};
  const checked = await atOnce(opened.backends, 2, ({ auth }) => auth.validateToken({ token }));
  expect(checked.map(({ result }) => result.case)).toEqual(["valid", "valid"]);
  await expect(backend.auth.refreshToken({ refreshToken })).resolves.toBeDefined();
}

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
