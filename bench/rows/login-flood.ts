import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { createSiteKey } from "../bench-service.ts";
import { forkChild } from "../child-process.ts";
import type { Flood, FloodResult } from "../login-flood.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";
import { percentile } from "../statistics.ts";
import type { CheckPasswords, PasswordChecks } from "../yardsticks/password-check.ts";

const VALIDATE_TOKEN = "login: ValidateToken during a flood (p99)";
const SHED = "login: shed answers (p99)";
const OTHER_SITE = "login: another Site during a flood";

const FLOOD = new URL("../login-flood.ts", import.meta.url);
const PASSWORD_CHECK = new URL("../yardsticks/password-check.ts", import.meta.url);

/** How many times what the cores could check at best. */
const TIMES_CAPACITY = 10;
const ANSWER_MS_MAX = 50;
/** Between a check of a token and the next, and between logins of the other Site. */
const CHECK_PAUSE_MS = 10;
const LOGIN_PAUSE_MS = 100;
/** Before anything is counted: the line is full by then. */
const WARM_UP_MS = 300;

interface Sample {
  readonly validateP99Ms: number;
  readonly shedP99Ms: number;
  readonly loginsPerSecond: number;
  readonly askedPerSecond: number;
}

/**
 * Ten times the logins that the cores could check come in on one Site. Meanwhile tokens are checked
 * and somebody signs in on another Site.
 */
export const loginFlood: Row = {
  names: [VALIDATE_TOKEN, SHED, OTHER_SITE],
  async measure(bench) {
    const { service, resources, roundMs } = bench;
    const checker = resources.use(forkChild<CheckPasswords, PasswordChecks>(PASSWORD_CHECK));
    const capacity =
      availableParallelism() * (await checker.ask({ ms: roundMs, atOnce: 1 })).perSecond;
    const flooder = resources.use(forkChild<Flood, FloodResult>(FLOOD));
    const { secret } = await createSiteKey(service.url, service.operatorKey, "flooded.example.com");
    const flood = {
      url: service.url,
      authorization: `Bearer ${secret}`,
      perSecond: TIMES_CAPACITY * capacity,
      ms: WARM_UP_MS + roundMs,
    };
    const { signet } = await playRounds(bench.rounds, {
      signet: () => sample(bench, () => flooder.ask(flood)),
    });
    return toFigures(signet);
  },
};

async function sample(bench: Bench, flood: () => Promise<FloodResult>): Promise<Sample> {
  const { service, roundMs } = bench;
  const { auth } = service.client;
  const { email, password } = service.user;
  const identifier = { case: "email", value: email } as const;
  const flooding = flood();
  const measuring = sleep(WARM_UP_MS).then(() =>
    Promise.all([
      repeat(roundMs, CHECK_PAUSE_MS, () => auth.validateToken({ token: service.accessToken })),
      repeat(roundMs, LOGIN_PAUSE_MS, () => auth.login({ identifier, password })),
    ]),
  );
  const [{ shedMs }, [checks, logins]] = await Promise.all([flooding, measuring]);
  if (checks.failed > 0) throw new Error("a good token was not found good during a flood");
  if (shedMs.length === 0) throw new Error("ten times what can be done, and nobody was refused");
  const seconds = roundMs / 1_000;
  return {
    validateP99Ms: percentile(checks.callMs, 0.99),
    shedP99Ms: percentile(shedMs, 0.99),
    loginsPerSecond: logins.callMs.length / seconds,
    askedPerSecond: (logins.callMs.length + logins.failed) / seconds,
  };
}

/** Calls again and again, one at a time; returns how long those took that went well. */
async function repeat(ms: number, pauseMs: number, call: () => Promise<unknown>) {
  const callMs: number[] = [];
  let failed = 0;
  const endMs = performance.now() + ms;
  do {
    const beginMs = performance.now();
    await call().then(
      () => callMs.push(performance.now() - beginMs),
      () => {
        failed += 1;
      },
    );
    await sleep(pauseMs);
  } while (performance.now() < endMs);
  return { callMs, failed };
}

function toFigures(samples: readonly Sample[]): Figure[] {
  const mayTake = {
    name: "the most it may take",
    samples: samples.map(() => ANSWER_MS_MAX),
  };
  return [
    {
      row: VALIDATE_TOKEN,
      unit: "ms",
      samples: samples.map(({ validateP99Ms }) => validateP99Ms),
      yardstick: mayTake,
      goal: 1,
    },
    {
      row: SHED,
      unit: "ms",
      samples: samples.map(({ shedP99Ms }) => shedP99Ms),
      yardstick: mayTake,
      goal: 1,
    },
    {
      row: OTHER_SITE,
      unit: "calls/s",
      samples: samples.map(({ loginsPerSecond }) => loginsPerSecond),
      yardstick: { name: "asked for", samples: samples.map((each) => each.askedPerSecond) },
      goal: 0.95,
    },
  ];
}
