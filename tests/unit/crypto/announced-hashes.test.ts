import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createHashQueue } from "../../../src/crypto/hash-queue.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";

const [site, other] = [newId<SiteId>(), newId<SiteId>()];

describe("a caller that says it is about to hash", () => {
  test("is refused at once where those before it fill the time there is", () => {
    const queue = createHashQueue({ concurrency: 2 });

    const admitted = announceUntilFull(queue, site);

    // 0.8 of 500 ms, at 25 ms each, two at a time.
    expect(admitted).toHaveLength(32);
    expect(queue.stats().shedTotal).toBe(1);
  });

  test("has a place again when another one has come or left", () => {
    const queue = createHashQueue({ concurrency: 2 });
    const [arrive] = announceUntilFull(queue, site);

    arrive?.();

    expect(announceUntilFull(queue, site)).toHaveLength(1);
  });

  test("of another Site is let in, until that one has as many", () => {
    const queue = createHashQueue({ concurrency: 2 });
    const own = announceUntilFull(queue, site).length;

    expect(announceUntilFull(queue, other)).toHaveLength(own);
  });

  test("is let in where a place is free, however long hashes took before", async () => {
    const queue = createHashQueue({ concurrency: 1, waitMsMax: 20 });
    for (let n = 0; n < 30; n += 1) await queue.run({ siteId: site }, () => sleep(25));

    const arrive = queue.announce(other);
    arrive();

    expect(await queue.run({ siteId: other }, async () => "done")).toBe("done");
    expect(queue.stats()).toMatchObject({ shedTotal: 0 });
  });

  test("is judged by a pace that one Site's costly hashes do not set", async () => {
    const queue = createHashQueue({ concurrency: 1, waitMsMax: 20 });
    for (let n = 0; n < 30; n += 1) await queue.run({ siteId: site }, () => sleep(60));

    expect(queue.stats().hashMs).toBeLessThanOrEqual(25);
  });
});

function announceUntilFull(queue: ReturnType<typeof createHashQueue>, siteId: SiteId) {
  const arrivals: (() => void)[] = [];
  try {
    for (;;) arrivals.push(queue.announce(siteId));
  } catch (error) {
    expect(error).toMatchObject({ reason: "overloaded", retryDelayMs: expect.any(Number) });
    return arrivals;
  }
}
