import { afterAll, describe, expect, test } from "vitest";
import { createDatabase } from "../../src/store/database.ts";
import { openTestDatabase } from "../support/database.ts";
import { silentLog } from "../support/postgres.ts";
import { until } from "../support/waiting.ts";

const own = await openTestDatabase();
const { db } = own;
afterAll(() => own[Symbol.asyncDispose]());

describe("listen", () => {
  test("hears notifySoon of another process, also after its connections were lost", async () => {
    const other = createDatabase({ url: own.appUrl, log: silentLog });
    let heard = 0;
    const states: string[] = [];
    const listener = db.listen("changes", {
      onNotify: () => {
        heard += 1;
      },
      onState: (state) => states.push(state),
    });
    await until(() => states.at(-1) === "listening");

    other.notifySoon("changes");
    await until(() => heard === 1);
    await own.terminate("signet listener");
    await own.terminate("signet notifier");
    await until(() => states.length === 3);
    await until(() => {
      other.notifySoon("changes");
      return heard > 1;
    });

    expect(states).toEqual(["listening", "disconnected", "listening"]);
    await listener.close();
    await other.close();
  });

  test("a burst of notifySoon becomes few wake-ups, the last of them after the burst", async () => {
    let heard = 0;
    const states: string[] = [];
    await using _listener = db.listen("burst", {
      onNotify: () => {
        heard += 1;
      },
      onState: (state) => states.push(state),
    });
    await until(() => states.at(-1) === "listening");
    db.notifySoon("burst");
    await until(() => heard === 1);

    for (let n = 0; n < 10_000; n += 1) db.notifySoon("burst");
    await until(() => heard > 1);
    await new Promise((resolve) => setTimeout(resolve, 100));

    expect(heard).toBeLessThanOrEqual(4);
  });

  test("a function that throws does no harm", async () => {
    const states: string[] = [];
    let heard = 0;
    await using _listener = db.listen("throwing", {
      onNotify: () => {
        heard += 1;
        throw new Error("of the caller");
      },
      onState: (state) => states.push(state),
    });
    await until(() => states.at(-1) === "listening");

    db.notifySoon("throwing");
    await until(() => heard === 1);
    db.notifySoon("throwing");
    await until(() => heard === 2);

    expect(states).toEqual(["listening"]);
  });
});
