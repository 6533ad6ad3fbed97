import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Delivery, type OneTimeToken } from "../../gen/signet/v1/auth_service_pb.ts";
import { challengeOf, codeAt, type Enrolled, signUpWithFactor } from "../support/authenticator.ts";
import {
  type Clients,
  grpcClients,
  patiently,
  refusalOf,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import {
  atOnce,
  clientsOfBoth,
  inParallel,
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";

const TIMES = 20;
/** A login that waits for its code counts as a guess, and so does the code: 20 are let through. */
const CODES = 9;
const { RETURN_TOKEN: delivery } = Delivery;

let opened: SiteOnTwoProcesses;
let backend: Clients;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
  [backend] = opened.backends;
});

afterAll(() => opened[Symbol.asyncDispose]());

/** What a one-time token is for: how it is got, and how it is used. */
type Use = readonly [
  string,
  () => Promise<string>,
  (as: Clients, token: string) => Promise<unknown>,
];

describe("of many calls at once over both processes", () => {
  const uses: readonly Use[] = [
    [
      "verifies the address and sets the password",
      async () => tokenOf(await backend.auth.register({ email: uniqueEmail(), delivery })),
      ({ auth }, token) => auth.verifyEmail({ token, password: unique("correct horse") }),
    ],
    [
      "resets the password",
      async () => {
        const identifier = { case: "email", value: (await signUp(backend)).email } as const;
        return tokenOf(await backend.auth.requestPasswordReset({ identifier, delivery }));
      },
      ({ auth }, token) => auth.resetPassword({ token, newPassword: unique("correct horse") }),
    ],
    [
      "accepts the invitation",
      async () => tokenOf(await backend.users.inviteUser({ email: uniqueEmail(), delivery })),
      ({ auth }, token) => auth.acceptInvitation({ token, password: unique("correct horse") }),
    ],
    [
      "changes the address",
      async () => {
        const { userId } = await signUp(backend);
        const change = { userId, newEmail: uniqueEmail(), delivery };
        return tokenOf(await backend.auth.requestEmailChange(change));
      },
      ({ auth }, token) => auth.confirmEmailChange({ token }),
    ],
  ];

  test.each(uses)("with one token of a mail one %s", async (_use, getToken, use) => {
    const token = await getToken();

    const outcomes = await race((clients) => use(clients, token));

    expect(outcomes).toEqual(oneOf("ONE_TIME_TOKEN_INVALID"));
  });

  test("with one code of an authenticator one signs in", async () => {
    const { person, challenges } = await challenged();
    const value = codeAt(person.secret, 1);
    const before = await sessionsOf(person);

    const outcomes = await race(({ auth }) => {
      const challengeToken = challenges.pop() ?? "";
      return auth.completeMfa({ challengeToken, code: { case: "totpCode", value } });
    }, CODES);

    expect(outcomes).toEqual(oneOf("LOGIN_FAILED", CODES));
    expect(await sessionsOf(person)).toBe(before + 1);
  });

  test("with one recovery code one signs in", async () => {
    const { person, challenges } = await challenged();
    const [value = ""] = person.recoveryCodes;
    const before = await sessionsOf(person);

    const outcomes = await race(({ auth }) => {
      const challengeToken = challenges.pop() ?? "";
      return auth.completeMfa({ challengeToken, code: { case: "recoveryCode", value } });
    }, CODES);

    expect(outcomes).toEqual(oneOf("LOGIN_FAILED", CODES));
    expect(await sessionsOf(person)).toBe(before + 1);
  });

  test("with one challenge and codes that are all good one signs in", async () => {
    const { person, challenges } = await challenged(1);
    const [challengeToken = ""] = challenges;
    const codes = person.recoveryCodes.values();
    const before = await sessionsOf(person);

    const outcomes = await race(({ auth }) => {
      const value = codes.next().value ?? "";
      return auth.completeMfa({ challengeToken, code: { case: "recoveryCode", value } });
    }, 10);

    expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(1);
    expect(await sessionsOf(person)).toBe(before + 1);
    const left = await unusedRecoveryCodes(person);
    expect(left).toBe(9);
  });

  test("that enrol one authenticator one is told the recovery codes", async () => {
    const { accessToken, userId } = await signUp(backend);
    const own = clientsOfBoth(opened.services, accessToken);
    const { secret } = await own[0].auth.enrollTotp({});
    const totpCode = codeAt(secret);

    const outcomes = await race(({ auth }) => auth.confirmTotp({ totpCode }), TIMES, own);

    expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(1);
    expect(await unusedRecoveryCodes({ userId })).toBe(10);
  });
});

type Pair = readonly [Clients, Clients];

/** Makes a call many times at once, and tells how each ended: `done`, or the reason it was not. */
async function race(
  call: (clients: Clients) => Promise<unknown>,
  times = TIMES,
  clients: Pair = opened.backends,
): Promise<string[]> {
  const outcomes = await atOnce(clients, times, (each) =>
    patiently(() => call(each)).then(
      () => "done",
      (error: unknown) => refusalOf(error).reason,
    ),
  );
  return outcomes.sort((one, other) => Number(other === "done") - Number(one === "done"));
}

function oneOf(reason: string, times = TIMES): string[] {
  return ["done", ...Array<string>(times - 1).fill(reason)];
}

function tokenOf({ oneTimeToken }: { readonly oneTimeToken?: OneTimeToken | undefined }): string {
  return oneTimeToken?.token ?? "";
}

/** Signs somebody with a second factor in, many times, up to the code. */
async function challenged(times = CODES) {
  const asUser = (token: string) => grpcClients(opened.services[0].url, token);
  const person = await signUpWithFactor(backend, asUser);
  const challenges = await inParallel(Array.from({ length: times }), 4, () =>
    patiently(() => challengeOf(backend, person)),
  );
  return { person, challenges };
}

async function sessionsOf({ userId }: Pick<Enrolled, "userId">): Promise<number> {
  return (await backend.auth.listSessions({ userId, pageSize: 500 })).sessions.length;
}

async function unusedRecoveryCodes({ userId }: Pick<Enrolled, "userId">): Promise<number> {
  const rows = await runAsAdmin(
    opened.database.adminUrl,
    `select from signet.recovery_codes where user_id = '${userId}' and use_time is null`,
  );
  return rows.length;
}
