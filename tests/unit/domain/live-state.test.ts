import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLiveState, type LiveStateFeed } from "../../../src/domain/live-state.ts";
import { REVOCATION_MS } from "../../../src/domain/revocation-lifetime.ts";
import type { SessionId, SiteId, UserId } from "../../../src/model/id.ts";
import type { LogRow } from "../../../src/store/changes.ts";

const SITE_ID = "0198c1f0-0000-7000-8000-000000000001" as SiteId;
const USER_ID = "0198c1f0-0000-7000-8000-000000000002" as UserId;
const ENDED = "0198c1f0-0000-7000-8000-000000000003" as SessionId;
const ANOTHER = "0198c1f0-0000-7000-8000-000000000004" as SessionId;
const NOW = Date.UTC(2026, 0, 1);
const MINUTES_MS = 120_000;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["Date", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

test("what has ended is known past a moment at which the clock was wrong", () => {
  const live = createLiveState(() => true);
  live.apply([sessionEnded(ENDED)]);

  vi.advanceTimersByTime(MINUTES_MS);
  vi.setSystemTime(NOW + 3 * REVOCATION_MS);
  live.apply([sessionEnded(ANOTHER)]);
  vi.setSystemTime(NOW + MINUTES_MS);

  expect(isRevoked(live)).toBe(true);
});

test("what has ended is known as long as a token lives by a clock that was set back", () => {
  const live = createLiveState(() => true);
  live.apply([sessionEnded(ENDED)]);

  vi.advanceTimersByTime(2 * REVOCATION_MS);
  vi.setSystemTime(NOW);
  live.apply([]);

  expect(isRevoked(live)).toBe(true);
});

test("what no token can outlive is forgotten", () => {
  const live = createLiveState(() => true);
  live.apply([sessionEnded(ENDED)]);

  vi.advanceTimersByTime(2 * REVOCATION_MS);
  live.apply([]);

  expect(isRevoked(live)).toBe(false);
});

function isRevoked(live: LiveStateFeed): boolean {
  const session = { siteId: SITE_ID, userId: USER_ID, sessionId: ENDED };
  return live.isTokenRevoked({ ...session, generation: 1 });
}

function sessionEnded(subjectId: SessionId): LogRow {
  const commitTime = new Date();
  const expireTime = new Date(commitTime.getTime() + REVOCATION_MS);
  const notice = { kind: "session_ended", subjectId, userId: USER_ID, expireTime } as const;
  return { type: "notice", pos: 1, siteId: SITE_ID, commitTime, notice };
}
