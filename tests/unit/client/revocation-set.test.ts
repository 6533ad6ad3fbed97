import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Revocation, RevocationSchema } from "../../../gen/signet/v1/change_pb.ts";
import { createRevocationSet } from "../../../src/client/revocation-set.ts";
import type { CheckedToken } from "../../../src/client/verified-token.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const NOW = Date.UTC(2026, 0, 1);

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["Date", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ["a Session", sessionEnded("ended")],
  ["a generation", generationRaised("ended")],
])("the end of %s outlasts a moment at which the clock is wrong", (_, revocation) => {
  const set = createRevocationSet();
  set.add([revocation]);

  vi.advanceTimersByTime(2 * MINUTE_MS);
  vi.setSystemTime(NOW + 3 * HOUR_MS);
  set.add([sessionEnded("another")]);
  vi.setSystemTime(NOW + 2 * MINUTE_MS);

  expect(set.refuses(tokenOf("ended"))).toBe(true);
});

test("what ended outlasts a clock that is set back, by which tokens live longer", () => {
  const set = createRevocationSet();
  set.add([sessionEnded("ended")]);

  vi.advanceTimersByTime(2 * HOUR_MS);
  vi.setSystemTime(NOW);
  set.add([]);

  expect(set.refuses(tokenOf("ended"))).toBe(true);
});

test("what no token can outlive is forgotten", () => {
  const set = createRevocationSet();
  set.add([sessionEnded("ended"), generationRaised("raised")]);

  vi.advanceTimersByTime(2 * HOUR_MS);
  set.add([]);

  expect(set.refuses(tokenOf("ended"))).toBe(false);
  expect(set.refuses(tokenOf("raised"))).toBe(false);
});

function sessionEnded(sessionId: string): Revocation {
  return toRevocation({ case: "sessionEnded", value: { sessionId } });
}

function generationRaised(userId: string): Revocation {
  return toRevocation({ case: "generationRaised", value: { userId, generation: 2n } });
}

type Subject = NonNullable<Parameters<typeof create<typeof RevocationSchema>>[1]>["subject"];

function toRevocation(subject: Exclude<Subject, undefined>): Revocation {
  const [revokeTime, expireTime] = [timestampFromMs(NOW), timestampFromMs(NOW + HOUR_MS)];
  return create(RevocationSchema, { subject, revokeTime, expireTime });
}

/** A token whose Session and whose User have one name. */
function tokenOf(name: string): CheckedToken {
  const time = new Date(NOW);
  const verified = {
    userId: name,
    siteId: "site",
    sessionId: name,
    generation: 1,
    roles: [],
    audiences: ["shop"],
    authTime: time,
    authMethods: ["pwd"],
    issueTime: time,
    expireTime: time,
    tokenId: "token",
  };
  return { verified, keyId: "key" };
}
