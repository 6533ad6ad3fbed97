import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../support/builders.ts";
import {
  countLineages,
  keepRefreshing,
  loseAnswers,
  openSessions,
  presentAtOnce,
  refresh,
} from "../support/refresh-race.ts";
import {
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { until } from "../support/waiting.ts";

const SESSIONS = 50;
const PRESENTERS = 20;
const INVALID = { code: "Unauthenticated", reason: "REFRESH_TOKEN_INVALID" };

let opened: SiteOnTwoProcesses;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("refresh tokens at two processes", () => {
  test("presented 20 times at once have one successor each", async () => {
    const { backends, database } = opened;
    const holders = await openSessions(backends, SESSIONS);

    const given = await presentAtOnce(backends, holders, PRESENTERS);

    const successors = given.flatMap((each) => [...each]);
    expect(given.map(({ size }) => size)).toEqual(Array(SESSIONS).fill(1));
    expect(new Set(successors).size).toBe(SESSIONS);
    expect(await countLineages(database.adminUrl, holders)).toEqual({
      sessions: SESSIONS,
      ends: SESSIONS,
    });
    await Promise.all(successors.map((successor) => refresh(backends[1], successor)));
  });

  test("whose answers are lost are good once more, and their Sessions go on", async () => {
    const { backends, database } = opened;
    const holders = await openSessions(backends, SESSIONS);

    const lost = await loseAnswers(backends, holders);
    const repeated = await presentAtOnce(backends, holders, 2);

    for (const [n, { sessionId }] of holders.entries()) {
      const [successor = "", ...others] = repeated[n] ?? [];
      expect(others).toEqual([]);
      expect(successor).toBe(lost.get(sessionId) ?? successor);
      await refresh(backends[0], successor);
    }
    const { sessions } = await countLineages(database.adminUrl, holders);
    expect(sessions).toBe(SESSIONS);
  });

  test("replayed when they are old end their own Session and no other", async () => {
    const { backends } = opened;
    const holders = await openSessions(backends, 20);
    const newest = await Promise.all(
      holders.map(async ({ refreshToken }) =>
        refresh(backends[1], await refresh(backends[0], refreshToken)),
      ),
    );
    const isStolen = (n: number) => n % 4 === 0;

    const replayed = holders.filter((_, n) => isStolen(n));
    for (const { refreshToken } of replayed) {
      expect(await refusal(refresh(backends[1], refreshToken))).toMatchObject(INVALID);
    }

    const outcomes = await Promise.all(
      newest.map((token) =>
        refresh(backends[0], token).then(
          () => "good",
          () => "refused",
        ),
      ),
    );
    expect(outcomes).toEqual(holders.map((_, n) => (isStolen(n) ? "refused" : "good")));
  });

  test("outlive a process that is killed amid refreshes", async () => {
    const { backends, database, services } = opened;
    const holders = await openSessions(backends, SESSIONS);
    const refreshed = holders.map(() => 0);
    const course = { running: true };
    const clients = holders.map((holder, n) => {
      const onRefresh = () => (refreshed[n] = (refreshed[n] ?? 0) + 1);
      return keepRefreshing(backends, holder, course, onRefresh);
    });
    const progress = () => {
      const before = [...refreshed];
      return until(() => refreshed.every((times, n) => times >= (before[n] ?? 0) + 2), 60_000);
    };

    await progress();
    await services[0].stop("SIGKILL");
    await progress();
    course.running = false;
    const tokens = await Promise.all(clients);

    await Promise.all(tokens.map((token) => refresh(backends[1], token)));
    expect(await countLineages(database.adminUrl, holders)).toEqual({
      sessions: SESSIONS,
      ends: SESSIONS,
    });
  });
});
