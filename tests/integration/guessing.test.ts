import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import {
  type Clients,
  grpcClients,
  openSite,
  patiently,
  refusal,
  type SignedIn,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { attemptsAt, logInWith, outcome, untilAnswered } from "../support/guesses.ts";
import { printedMails } from "../support/mailbox.ts";
import { createServiceKeys, startService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const GUESSES = 200;
const LIMIT = 20;

const database = await openTestDatabase();
const keys = createServiceKeys();
const [first, second] = [
  await startService({ databaseUrl: database.appUrl, keys }),
  await startService({ databaseUrl: database.appUrl, keys }),
];
const site = await openSite(createGrpcTransport({ baseUrl: first.url }), keys.operatorKey);
const { backend } = site;
const elsewhere = grpcClients(second.url, site.key);
afterAll(async () => {
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("guesses at an account", () => {
  test("are checked exactly as often as the limit says, however many come at once", async () => {
    const person = await signUp(backend);
    const guess = (n: number) => logInWith(n % 2 ? backend : elsewhere, person, `wrong ${n}`);

    const outcomes = await Promise.all(
      Array.from({ length: GUESSES }, (_, n) => untilAnswered(() => guess(n))),
    );

    expect(new Set(outcomes)).toEqual(new Set(["LOGIN_FAILED"]));
    expect(await attemptsAt(database.adminUrl, person)).toMatchObject({
      failed: LIMIT,
      refused: expect.any(Number),
    });
    expect(await outcome(logInWith(elsewhere, person))).toBe("LOGIN_FAILED");
    const { signIn } = await backend.users.getUser({ userId: person.userId });
    expect(signIn?.failedLogins).toBe(LIMIT);
    expect(signIn?.lockExpireTime).toBeDefined();
  }, 120_000);

  test("are counted together, whatever they are made by", async () => {
    const person = await signUp(backend);
    const own = grpcClients(second.url, person.accessToken);
    const ways: readonly (() => Promise<unknown>)[] = [
      () => logInWith(backend, person, "wrong password"),
      () => own.auth.reauthenticate({ password: "wrong password" }),
      () =>
        own.auth.changePassword({
          currentPassword: "wrong password",
          newPassword: unique("another password"),
        }),
    ];
    for (let n = 0; n < LIMIT; n += 1) {
      const way = ways[n % ways.length] ?? (() => Promise.resolve());
      expect(await outcome(patiently(way))).toBe("LOGIN_FAILED");
    }

    const right = { password: person.password };
    expect(await outcome(own.auth.reauthenticate(right))).toBe("LOGIN_FAILED");
    expect(await outcome(logInWith(backend, person))).toBe("LOGIN_FAILED");
    expect((await attemptsAt(database.adminUrl, person)).failed).toBe(LIMIT);
  });

  test("lock it until an administrator lifts the lock", async () => {
    const person = await signUp(backend);
    await guessUntilLocked(person);

    await backend.users.unlockUser({ userId: person.userId });

    expect(await outcome(logInWith(elsewhere, person))).toBe("");
  });

  test("lock it until the password is reset, and its owner is told once", async () => {
    const person = await signUp(backend);
    await guessUntilLocked(person);

    const { oneTimeToken } = await backend.auth.requestPasswordReset({
      identifier: { case: "email", value: person.email },
      delivery: Delivery.RETURN_TOKEN,
    });
    const password = unique("new password");
    await backend.auth.resetPassword({ token: oneTimeToken?.token ?? "", newPassword: password });

    expect(await outcome(logInWith(elsewhere, person, password))).toBe("");
    const told = await until(() => {
      const mails = [...printedMails(first), ...printedMails(second)];
      const own = mails.filter(({ to }) => to === person.email);
      return own.length === 2 ? own : undefined;
    });
    expect(told.filter(({ subject }) => /^Attempts to sign in/.test(subject))).toHaveLength(1);
  });

  test("begin anew with the owner's own login", async () => {
    const person = await signUp(backend);
    for (let n = 0; n < 2 * LIMIT; n += 1) {
      if (n % (LIMIT - 1) === LIMIT - 2) await patiently(() => logInWith(backend, person));
      else await outcome(logInWith(backend, person, "wrong password"));
    }

    expect(await outcome(logInWith(backend, person))).toBe("");
  });

  test("leave the same traces where nobody has the account", async () => {
    const identifier = { case: "email", value: uniqueEmail() } as const;
    const before = await countRows();
    const guess = () => backend.auth.login({ identifier, password: "wrong password" });
    for (let n = 0; n < LIMIT + 1; n += 1) await outcome(patiently(guess));

    const after = await countRows();

    expect(after.failed - before.failed).toBe(LIMIT);
    expect(after.refused - before.refused).toBe(1);
    expect(after.counters - before.counters).toBe(1);
    expect(after.digests).not.toContain(identifier.value);
  });
});

describe("a known device", () => {
  test("signs in while guesses from elsewhere are refused", async () => {
    const person = await signUp(backend);
    const { deviceToken } = await started(backend, person);
    await guessUntilLocked(person);

    const known = await outcome(logInWith(elsewhere, person, person.password, deviceToken));
    const unknown = await outcome(logInWith(elsewhere, person));
    const foreign = await outcome(logInWith(elsewhere, person, person.password, "sgn_dt_other"));

    expect([known, unknown, foreign]).toEqual(["", "LOGIN_FAILED", "LOGIN_FAILED"]);
    expect(deviceToken).toMatch(/^sgn_dt_/);
  });

  test("has a limit of its own", async () => {
    const person = await signUp(backend);
    const { deviceToken } = await started(backend, person);
    await guessUntilLocked(person, deviceToken);

    expect(await outcome(logInWith(elsewhere, person, person.password, deviceToken))).toBe(
      "LOGIN_FAILED",
    );
    expect(await outcome(logInWith(elsewhere, person))).toBe("");
  });

  test("keeps its token, also one of the app's own making, and is of one User only", async () => {
    const [person, other] = [await signUp(backend), await signUp(backend)];
    const own = unique("device");

    const [once, again] = [
      await started(backend, person, own),
      await started(elsewhere, person, own),
    ];
    await guessUntilLocked(other, own);

    expect([once.deviceToken, again.deviceToken]).toEqual([own, own]);
    expect(await outcome(logInWith(elsewhere, other, other.password, own))).toBe("LOGIN_FAILED");
    expect(await runAsAdmin(database.adminUrl, "select * from signet.known_devices")).not.toContain(
      own,
    );
  });

  test("is told of by mail when it is new, but not at the first login", async () => {
    const person = await signUp(backend);
    const phone = { ip: "203.0.113.9", userAgent: "Phone/1.0" };

    const { deviceToken } = await started(backend, person, "", phone);
    await started(elsewhere, person, "", phone); // Seen by address and program.
    await started(elsewhere, person, deviceToken, { ...phone, ip: "203.0.113.10" });
    await started(backend, person, "", { ...phone, ip: "2001:db8::7" });

    await until(async () => (await countMailJobs()) === 0);
    const told = await until(() => {
      const mails = [...printedMails(first), ...printedMails(second)];
      const own = mails.filter(({ to }) => to === person.email);
      return own.length >= 2 ? own : undefined;
    });
    expect(told.map(({ subject }) => subject)).toEqual(Array(2).fill("New sign-in to Test"));
  });

  test("with a token that is too long is refused", async () => {
    const person = await signUp(backend);

    const refused = await refusal(logInWith(backend, person, undefined, "x".repeat(257)));

    expect(refused).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field: "client.device_token" },
    });
  });
});

test("a live refresh token still works while guesses are refused", async () => {
  const person = await signUp(backend);
  await guessUntilLocked(person);

  const { tokens } = await backend.auth.refreshToken({ refreshToken: person.refreshToken });

  expect(tokens?.accessToken).not.toBe("");
});

test("a deleted User leaves no attempt, no counter and no device", async () => {
  const { userId, ...person } = await signUp(backend);
  await outcome(logInWith(backend, person, "wrong password"));
  const traces = () =>
    runAsAdmin<{ place: string }>(
      database.adminUrl,
      `select 'attempt' as place from signet.login_attempts where user_id = '${userId}'
        union select 'counter' from signet.guess_counts where account_id = '${userId}'
        union select 'device' from signet.known_devices where user_id = '${userId}'
        order by place`,
    );
  const before = await traces();

  await backend.users.deleteUser({ userId });

  expect(before.map(({ place }) => place)).toEqual(["attempt", "counter", "device"]);
  expect(await traces()).toEqual([]);
});

async function started(
  { auth }: Clients,
  { email, password }: SignedIn,
  deviceToken = "",
  device: { readonly ip?: string; readonly userAgent?: string } = {},
) {
  const identifier = { case: "email", value: email } as const;
  const client = { ...device, deviceToken };
  const { result } = await auth.login({ identifier, password, client });
  if (result.case !== "session") throw new Error(`the login answered with ${result.case}`);
  return result.value;
}

async function guessUntilLocked(person: SignedIn, deviceToken = ""): Promise<void> {
  for (let n = 0; n < LIMIT; n += 1) {
    const clients = n % 2 ? backend : elsewhere;
    await outcome(logInWith(clients, person, "wrong password", deviceToken));
  }
}

async function countMailJobs(): Promise<number> {
  const jobs = await runAsAdmin(
    database.adminUrl,
    "select from graphile_worker.jobs where task_identifier = 'send_mail'",
  );
  return jobs.length;
}

async function countRows() {
  const [row] = await runAsAdmin<{
    failed: string;
    refused: string;
    counters: string;
    digests: string;
  }>(
    database.adminUrl,
    `select count(*) filter (where outcome = 'failed') as failed,
            count(*) filter (where outcome = 'refused') as refused,
            (select count(*) from signet.guess_counts where account_id <> site_id) as counters,
            coalesce(string_agg(encode(identifier_digest, 'escape'), ' '), '') as digests
       from signet.login_attempts`,
  );
  return {
    failed: Number(row?.failed),
    refused: Number(row?.refused),
    counters: Number(row?.counters),
    digests: row?.digests ?? "",
  };
}
