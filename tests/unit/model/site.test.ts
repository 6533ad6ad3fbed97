import { expect, test } from "vitest";
import { LIFETIME_RANGES, PASSWORD_LENGTH_MIN_RANGE } from "../../../src/model/site.ts";

const HOUR = 3_600;
const DAY = 24 * HOUR;

test("lifetimes have the bounds and defaults that site.proto promises", () => {
  expect(LIFETIME_RANGES).toEqual({
    accessTokenSeconds: { min: 60, max: HOUR, default: 900 },
    sessionIdleSeconds: { min: 300, max: 90 * DAY, default: 604_800 },
    sessionAbsoluteSeconds: { min: 300, max: 400 * DAY, default: 7_776_000 },
    emailVerificationSeconds: { min: 300, max: 30 * DAY, default: 86_400 },
    passwordResetSeconds: { min: 300, max: 86_400, default: HOUR },
    invitationSeconds: { min: HOUR, max: 90 * DAY, default: 604_800 },
    emailChangeSeconds: { min: 300, max: 86_400, default: HOUR },
    mfaChallengeSeconds: { min: 60, max: 900, default: 300 },
    recentLoginSeconds: { min: 60, max: HOUR, default: 600 },
  });
});

test("the least length of a password has the bounds and default that site.proto promises", () => {
  expect(PASSWORD_LENGTH_MIN_RANGE).toEqual({ min: 8, max: 64, default: 15 });
});
