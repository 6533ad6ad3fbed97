import { randomUUID } from "node:crypto";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { migrate } from "../../src/store/migrate.ts";
import { ensureDatabase, prepareRoles } from "../../src/store/roles.ts";
import { areaUnderCurve } from "../support/area-under-curve.ts";
import { openSite, patiently, refusalOf, signUp, uniqueEmail } from "../support/builders.ts";
import { silentLog, startTestPostgres } from "../support/postgres.ts";
import { createServiceKeys, startService } from "../support/service.ts";

/** How often each kind is measured, the one after the other in random order. */
const SAMPLES = 2_000;
const WARM_UP = 50;
const ACCOUNTS = 100;
const AREA_MAX = 0.55;
const MINUTES_MAX = 15;

// Durable, as in production: a commit that waits for the disk is what could be measured.
const postgres = await startTestPostgres({ durable: true });
const roles = await prepareRoles(await ensureDatabase(postgres.adminUrl, "signet"));
await migrate({ ownerUrl: roles.ownerUrl, log: silentLog });
const keys = createServiceKeys();
const service = await startService({ databaseUrl: roles.url, keys });
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await postgres.stop();
});
const transport = createGrpcTransport({ baseUrl: service.url });
const { backend } = await openSite(transport, keys.operatorKey);
const foreign = await openSite(transport, keys.operatorKey);

describe("time does not tell", () => {
  test(
    "whether somebody has the account that is signed in to",
    async () => {
      const known = await signUpMany();
      const unknown = known.map(() => uniqueEmail());

      const area = await measure(
        (n) => logIn(known[n % ACCOUNTS] ?? ""),
        (n) => logIn(unknown[n % ACCOUNTS] ?? ""),
      );

      expect(area).toBeLessThanOrEqual(AREA_MAX);
    },
    MINUTES_MAX * 60_000,
  );

  test(
    "whether somebody has the account whose password is to be reset",
    async () => {
      const known = await signUpMany();
      const unknown = known.map(() => uniqueEmail());

      const area = await measure(
        (n) => requestReset(known[n % ACCOUNTS] ?? ""),
        (n) => requestReset(unknown[n % ACCOUNTS] ?? ""),
      );

      expect(area).toBeLessThanOrEqual(AREA_MAX);
    },
    MINUTES_MAX * 60_000,
  );

  test(
    "a User of another Site from one that does not exist",
    async () => {
      const { userId } = await signUp(foreign.backend);

      const area = await measure(
        () => backend.users.getUser({ userId }),
        () => backend.users.getUser({ userId: randomUUID() }),
      );

      expect(area).toBeLessThanOrEqual(AREA_MAX);
    },
    MINUTES_MAX * 60_000,
  );
});

async function signUpMany(): Promise<string[]> {
  const people = [];
  for (let n = 0; n < ACCOUNTS; n += 1) people.push(await patiently(() => signUp(backend)));
  return people.map(({ email }) => email);
}

function logIn(email: string): Promise<unknown> {
  return backend.auth.login({ identifier: { case: "email", value: email }, password: "wrong one" });
}

function requestReset(email: string): Promise<unknown> {
  return backend.auth.requestPasswordReset({ identifier: { case: "email", value: email } });
}

/** Measures two calls in turns, tells what came of it, and returns how far they differ. */
async function measure(
  some: (n: number) => Promise<unknown>,
  others: (n: number) => Promise<unknown>,
): Promise<number> {
  const durations = { some: [] as number[], others: [] as number[] };
  for (let n = 0; n < WARM_UP + SAMPLES; n += 1) {
    const someFirst = Math.random() < 0.5;
    const before = someFirst ? await timed(() => some(n)) : undefined;
    const other = await timed(() => others(n));
    const own = before ?? (await timed(() => some(n)));
    if (n < WARM_UP) continue;
    durations.some.push(own);
    durations.others.push(other);
  }
  const area = areaUnderCurve(durations.some, durations.others);
  const [a, b] = [median(durations.some), median(durations.others)];
  process.stdout.write(
    `AUC ${area.toFixed(3)}; medians ${a.toFixed(2)} ms and ${b.toFixed(2)} ms\n`,
  );
  return area;
}

/** Takes the time of an answer, whatever it is, but for a service that has too much to do. */
async function timed(call: () => Promise<unknown>): Promise<number> {
  for (;;) {
    const beginMs = performance.now();
    const error: unknown = await call().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const ms = performance.now() - beginMs;
    const reason = error === undefined ? "" : refusalOf(error).reason;
    if (["", "LOGIN_FAILED", "USER_NOT_FOUND"].includes(reason)) return ms;
    if (reason !== "OVERLOADED") throw error;
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
