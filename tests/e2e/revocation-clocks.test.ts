import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InvalidTokenReason } from "../../gen/signet/v1/auth_service_pb.ts";
import { signUp, uniqueEmail } from "../support/builders.ts";
import { createFaultClock, type FaultClock } from "../support/fault-clock.ts";
import { openTestFolder } from "../support/postgres.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

/** More than what a token lives at most. */
const AHEAD_SECONDS = 3 * 3_600;
const PATIENCE_MS = 60_000;

let folder: string;
let clock: FaultClock;
let home: SiteOnService;

beforeAll(async () => {
  folder = await openTestFolder();
  clock = await createFaultClock(folder, "clock");
  home = await openSiteOnService(clock.env);
});

afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("a process whose clock was wrong for a moment still knows what has ended", async () => {
  const { backend } = home.site;
  const { accessToken: token, refreshToken, sessionId, userId } = await signUp(backend);
  await backend.auth.logout({ refreshToken });
  await until(async () => (await answerOf(token)) === "invalid", PATIENCE_MS);

  await setClock(AHEAD_SECONDS);
  await backend.users.createUser({ email: uniqueEmail() }); // What comes has it look what is over.
  await backend.users.updateUser({ userId, displayName: "Later" });
  const { revocations } = await backend.sync.listRevocations({});
  await setClock(0);
  const { result } = await backend.auth.validateToken({ token });

  expect(revocations.map(({ subject }) => subject)).toMatchObject([
    { case: "sessionEnded", value: { sessionId } },
  ]);
  expect(result.value).toMatchObject({ reason: InvalidTokenReason.REVOKED });
});

async function answerOf(token: string): Promise<string | undefined> {
  return (await home.site.backend.auth.validateToken({ token })).result.case;
}

/** Sets the clock of the process, and waits until it has noticed. */
async function setClock(aheadSeconds: number): Promise<void> {
  await clock.step(aheadSeconds);
  await until(async () => {
    const { headers } = await fetch(`${home.service.url}/healthz`);
    const aheadMs = Date.parse(headers.get("date") ?? "") - Date.now();
    return Math.abs(aheadMs - aheadSeconds * 1_000) < 60_000;
  }, PATIENCE_MS);
}
