import { describe, expect, test } from "vitest";
import type { Operation, Outcome } from "../../support/operation-log.ts";
import { listRefreshFaults } from "../../support/refresh-checker.ts";

describe("the checker of refresh tokens", () => {
  test("finds nothing where each token has one successor, told as often as it is asked for", () => {
    const faults = listRefreshFaults([
      presented("t1", refreshed("t2")),
      presented("t2", UNHEARD, 1_000),
      presented("t2", refreshed("t3"), 4_000),
      presented("t2", refreshed("t3"), 4_000),
    ]);

    expect(faults).toEqual([]);
  });

  test("sees a token with two successors", () => {
    const faults = listRefreshFaults([
      presented("t1", refreshed("t2")),
      presented("t1", refreshed("t3")),
    ]);

    expect(faults).toEqual(["a token of session was forked"]);
  });

  test("sees a successor of two tokens", () => {
    const faults = listRefreshFaults([
      presented("t1", refreshed("t3")),
      presented("t2", refreshed("t3")),
    ]);

    expect(faults).toEqual(["two tokens of session have one successor"]);
  });

  test("sees a Session that ends while its holder asks again in time", () => {
    const faults = listRefreshFaults([
      presented("t1", UNHEARD, 0),
      presented("t1", REFUSED, 9_900),
    ]);

    expect(faults).toEqual(["the Session session has ended by itself: REFRESH_TOKEN_INVALID"]);
  });

  test("sees a Session that ends though each answer was heard", () => {
    const faults = listRefreshFaults([presented("t1", refreshed("t2")), presented("t2", REFUSED)]);

    expect(faults).toEqual(["the Session session has ended by itself: REFRESH_TOKEN_INVALID"]);
  });

  test("lets a Session end whose holder comes back later than a lost answer allows", () => {
    const faults = listRefreshFaults([
      presented("t1", UNHEARD, 0),
      presented("t1", REFUSED, 10_000),
    ]);

    expect(faults).toEqual([]);
  });

  test("lets a call that its holder gave up end the Session once it arrives", () => {
    const soon = [
      presented("t1", UNHEARD, 0),
      presented("t1", refreshed("t2"), 3_000),
      presented("t2", refreshed("t3"), 3_100),
    ];

    const arrived = listRefreshFaults([...soon, presented("t3", REFUSED, 8_000)]);
    const never = listRefreshFaults([...soon, presented("t3", REFUSED, 30_001)]);

    expect(arrived).toEqual([]);
    expect(never).toEqual(["the Session session has ended by itself: REFRESH_TOKEN_INVALID"]);
  });
});

const UNHEARD = { type: "unknown", problem: "no answer" } as const;
const REFUSED = { type: "refused", reason: "REFRESH_TOKEN_INVALID" } as const;

function refreshed(successor: string): Outcome {
  return { type: "refreshed", successor };
}

function presented(token: string, outcome: Outcome, atMs = 0): Operation {
  const intent = { type: "refresh", sessionId: "session", token } as const;
  const times = { invokedMs: atMs, endedMs: atMs, invokedAt: 0, endedAt: 0 };
  return { client: "holder", intent, outcome, ...times };
}
