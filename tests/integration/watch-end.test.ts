import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiKeyId } from "../../src/model/id.ts";
import { insertRevocation } from "../../src/store/revocations.ts";
import { runAsAdmin } from "../support/database.ts";
import { rejection, until } from "../support/waiting.ts";
import { openWatchHarness, siteKeyOf, type WatchHarness } from "../support/watch-harness.ts";

let harness: WatchHarness;

beforeAll(async () => {
  harness = await openWatchHarness();
});

afterAll(() => harness[Symbol.asyncDispose]());

describe("a stream ends", () => {
  test("with epoch_changed when the database turns out to be another", async () => {
    await using own = await openWatchHarness();
    const stream = own.open({ snapshot: false });
    const { cursor = "" } = await stream.next("hello");
    const ending = rejection(stream.next("changeBatch"));
    await runAsAdmin(own.database.adminUrl, "update signet.change_state set timeline_id = 77");

    const error = await ending;
    const resumed = await rejection(own.open({ cursor }).next("hello"));
    await own.generator.create();

    expect(error).toMatchObject({ reason: "epoch_changed" });
    expect(resumed).toMatchObject({ metadata: { epoch: String(own.epoch()) } });
    expect(await own.open({}).next("hello")).toMatchObject({ epoch: own.epoch() });
  });

  test("with REAUTHENTICATE when its key is revoked, at whatever moment", async () => {
    await using own = await openWatchHarness();
    const early = own.open({ snapshot: false });
    await early.next("hello");
    const ended = early.next("goodbye");
    await revoke(own);

    await ended;
    const late = own.open({ snapshot: false }); // Let in just before the revocation was heard.

    expect(await rejection(early.next("goodbye"))).toMatchObject({ reason: "credential_invalid" });
    await late.next("goodbye");
  });

  test("with REAUTHENTICATE when its key expires", async () => {
    const expireTime = new Date(Date.now() + 300);
    const stream = harness.open({
      snapshot: false,
      caller: { ...siteKeyOf(harness.siteId), expireTime } as ReturnType<typeof siteKeyOf>,
    });

    await stream.next("goodbye");

    const timerEarlyMs = 5; // A timer may fire a moment before its time.
    expect(Date.now()).toBeGreaterThanOrEqual(expireTime.getTime() - timerEarlyMs);
  });
});

test("leaves nothing behind after 200 streams that are left at any moment", async () => {
  await using own = await openWatchHarness();
  for (let n = 0; n < 200; n += 1) {
    const stream = own.open();
    const reading = readOn(stream.frames).catch(() => undefined);
    if (n % 4 > 0) await sleep(n % 4);
    if (n % 10 === 0) await own.generator.create();
    await stream.leave();
    await reading;
  }

  await until(() => own.streams() === 0); // Some wait for the head of the log.
  expect(own.freeSnapshots()).toBe(8);
});

async function revoke({ database, siteId, wake }: WatchHarness): Promise<void> {
  const expireTime = new Date(Date.now() + 60_000);
  const subjectId = siteId as string as ApiKeyId; // The key of a harness has its Site's id.
  const notice = { kind: "api_key_revoked", subjectId, expireTime } as const;
  await database.db.inSite(siteId, (tx) => insertRevocation(tx, siteId, notice, new Date()));
  wake();
}

async function readOn(frames: AsyncGenerator<unknown>): Promise<void> {
  for await (const _ of frames);
}
