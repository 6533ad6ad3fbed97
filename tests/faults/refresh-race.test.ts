import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  countLineages,
  loseAnswers,
  openSessions,
  presentAtOnce,
} from "../support/refresh-race.ts";
import {
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";

const SESSIONS = 1_000;
const PRESENTERS = 20;
const MINUTES_MAX = 10;

let opened: SiteOnTwoProcesses;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("a thousand refresh tokens at two processes", () => {
  test(
    "presented 20 times each at once make a thousand lineages; lost answers end no Session",
    async () => {
      const { backends, database } = opened;
      const holders = await openSessions(backends, SESSIONS);

      const given = await presentAtOnce(backends, holders, PRESENTERS);
      const raced = await countLineages(database.adminUrl, holders);
      const successors = given.flatMap((each) => [...each]);
      const next = holders.map(({ sessionId }, n) => ({
        sessionId,
        refreshToken: successors[n] ?? "",
      }));
      await loseAnswers(backends, next);
      const repeated = await presentAtOnce(backends, next, 1);
      const alive = await countLineages(database.adminUrl, holders);

      expect(new Set(successors).size).toBe(SESSIONS);
      expect(successors).toHaveLength(SESSIONS);
      expect(raced).toEqual({ sessions: SESSIONS, ends: SESSIONS });
      expect(repeated).toHaveLength(SESSIONS);
      expect(alive).toEqual(raced);
    },
    MINUTES_MAX * 60_000,
  );
});
