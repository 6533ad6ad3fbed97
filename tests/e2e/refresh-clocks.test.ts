import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logIn, refusal, signUp } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { createFaultClock } from "../support/fault-clock.ts";
import { openTestFolder } from "../support/postgres.ts";
import { refresh } from "../support/refresh-race.ts";
import {
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";

/** More than the grace of a used token, and less than ends the start of a process. */
const AHEAD_SECONDS = 20;
const INVALID = { code: "Unauthenticated", reason: "REFRESH_TOKEN_INVALID" };

let folder: string;
let opened: SiteOnTwoProcesses;

beforeAll(async () => {
  folder = await openTestFolder();
  const clock = await createFaultClock(folder, "clock");
  await clock.step(AHEAD_SECONDS);
  opened = await openSiteOnTwoProcesses({ secondEnv: clock.env });
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe("a refresh token at two processes, the second 20 s ahead of the first", () => {
  test("is judged by processes whose clocks do differ", async () => {
    const [first = 0, second = 0] = await Promise.all(opened.services.map(timeOfDay));

    expect(second - first).toBeGreaterThan((AHEAD_SECONDS / 2) * 1_000);
  });

  test.each([
    ["first", 0, 1],
    ["second", 1, 0],
  ] as const)("is good once more if the answer of the %s was lost", async (_, used, repeated) => {
    const { backends } = opened;
    const { refreshToken } = await signUp(backends[0]);
    const successor = await refresh(backends[used], refreshToken);

    const again = await refresh(backends[repeated], refreshToken);

    expect(again).toBe(successor);
    await expect(refresh(backends[used], successor)).resolves.toBeDefined();
  });

  test.each([
    ["first", 0, 1],
    ["second", 1, 0],
  ] as const)("ends its Session past the grace of its use at the %s", async (_, used, repeated) => {
    const { backends } = opened;
    const holder = await signUp(backends[0]);
    const elsewhere = await logIn(backends[0], holder.email, holder.password);
    const successor = await refresh(backends[used], holder.refreshToken);
    await letGracePass(holder.sessionId);

    const refused = await refusal(refresh(backends[repeated], holder.refreshToken));

    expect(refused).toMatchObject(INVALID);
    expect(await refusal(refresh(backends[used], successor))).toEqual(refused);
    await expect(refresh(backends[used], elsewhere.refreshToken)).resolves.toBeDefined();
  });
});

/** What a process takes for the time, to a second. */
async function timeOfDay({ url }: { readonly url: string }): Promise<number> {
  return Date.parse((await fetch(`${url}/healthz`)).headers.get("date") ?? "");
}

/** The tokens of the Session were used 11 s earlier than they were. */
async function letGracePass(sessionId: string): Promise<void> {
  await runAsAdmin(
    opened.database.adminUrl,
    `update signet.refresh_tokens set use_time = use_time - interval '11 s'
      where session_id = '${sessionId}' and use_time is not null`,
  );
}
