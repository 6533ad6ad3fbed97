import { describe, expect, test } from "vitest";
import { MirrorConflictError, MirrorTimeoutError, type User } from "../../src/client/index.ts";
import { rejection, until } from "../support/waiting.ts";
import { beginTrial, idsOf, type MirrorUnderTest, presentStatus, WAIT_MS } from "./mirror-trial.ts";
import { idOf, SITE_ID } from "./site-model.ts";

/** Describes what the instances of an app do with the Mirror that they share. */
export function describeInstances<Transaction>(
  name: string,
  create: () => Promise<MirrorUnderTest<Transaction>>,
): void {
  const begin = (count: number) => beginTrial(create, count);

  describe(`${name}: the instances of an app`, () => {
    test("lead one at a time, and another takes over", async () => {
      const { site, open, converged } = await begin(4);
      const created: string[] = [];
      const onCreate = async (_: unknown, users: readonly User[]) =>
        void created.push(...idsOf(users));
      const first = open({ onCreate });
      await first.waitUntilFilled();
      const second = open({ onCreate });
      await until(async () => (await presentStatus(second)) === "standby");

      site.put(idOf(5));
      await converged();
      const itemsOfSecond = second.counters.items;
      await first.close();
      site.put(idOf(6));
      await converged();

      expect(itemsOfSecond).toBe(0);
      expect(created.sort()).toEqual([1, 2, 3, 4, 5, 6].map(idOf));
      await expect.poll(() => second.counters).toMatchObject({ leads: 1, snapshots: 0 });
    });

    test("resume where the last one stopped, again and again", async () => {
      const { site, open, converged } = await begin(9);
      const created: string[] = [];
      const onCreate = async (_: unknown, users: readonly User[]) =>
        void created.push(...idsOf(users));

      for (let n = 10; n < 20; n++) {
        const mirror = open({ onCreate });
        site.put(idOf(n));
        await until(() => mirror.counters.items > 1, WAIT_MS);
        await mirror.close();
      }
      open({ onCreate });
      await converged();

      expect(created.length).toBe(new Set(created).size);
      expect(created).toHaveLength(19);
    });

    test("read their own writes, whichever leads", async () => {
      const { site, open } = await begin(2);
      const leading = open();
      await leading.waitUntilFilled();
      const standby = open();

      const version = site.put(idOf(1), "new@example.com");
      const waits = [leading, standby].map((mirror) =>
        mirror.waitFor({ userId: idOf(1), version }),
      );
      await Promise.all(waits);
      const tooMuch = { userId: idOf(1), version: version + 1n };

      const late = rejection(leading.waitFor(tooMuch, { timeoutMs: 50 }));
      expect(await late).toBeInstanceOf(MirrorTimeoutError);
      await expect(
        standby.waitFor(tooMuch, { signal: AbortSignal.abort(new Error("left")) }),
      ).rejects.toThrow("left");
    });
  });

  describe(`${name}: a write of a mirror`, () => {
    test("from a state that another one has moved writes nothing", async () => {
      const { site, stored } = await begin(1);
      const storage = stored.open();
      await storage.prepare();
      const writer = await storage.lead();
      if (!writer) throw new Error("nobody leads, and still the lead was refused");
      const rules = { tombstones: "keep", onCreate: undefined } as const;
      const { users } = await site.client.users.batchGetUsers({ userIds: [idOf(1)] });
      const state = await writer.readState();
      const to = { ...state, siteId: SITE_ID, cursor: "new" };

      const second = await storage.lead();
      await writer.move(state, to, { users: [], gone: [], everyone: false }, rules);
      const late = writer.move(state, to, { users, gone: [], everyone: false }, rules);

      expect(second).toBeUndefined();
      expect(await rejection(late)).toBeInstanceOf(MirrorConflictError);
      expect((await stored.users()).size).toBe(0);
      expect(await storage.readState()).toMatchObject({ revision: 1n, cursor: "new" });
      await writer.release();
    });

    test("tells onCreate of at most 500 Users at a time, and of each once", async () => {
      const { site, stored } = await begin(1);
      const storage = stored.open();
      await storage.prepare();
      const [user] = (await site.client.users.batchGetUsers({ userIds: [idOf(1)] })).users;
      if (!user) throw new Error("the Site has lost its User");
      const users = Array.from({ length: 1_200 }, (_, n) => ({ ...user, id: idOf(n) }));
      const told: string[][] = [];
      const onCreate = async (_: Transaction, created: readonly User[]) =>
        void told.push(idsOf(created));
      const origin = { epoch: 1, scope: "" };

      const result = await storage.merge(users, origin, { tombstones: "keep", onCreate });

      expect(result).toEqual({ written: 1_200, created: 1_200, removed: 0 });
      expect(told.map(({ length }) => length)).toEqual([500, 500, 200]);
      expect(told.flat().sort()).toEqual(idsOf(users));
    });

    test("that fails in onCreate is undone, with the cursor, and tried again", async () => {
      const { stored, open, converged } = await begin(4);
      let attempts = 0;
      const seen: number[] = [];
      const mirror = open({
        async onCreate() {
          if (++attempts > 2) return;
          seen.push((await stored.users()).size);
          throw new Error("no room");
        },
      });

      await converged();

      expect(seen).toEqual([0, 0]);
      await expect.poll(() => mirror.counters).toMatchObject({ created: 4, failures: 2 });
    });

    test.each(["keep", "delete"] as const)(
      "never brings a deleted User back (tombstones: %s)",
      async (tombstones) => {
        const { site, stored, open, converged } = await begin(2);
        const mirror = open({ tombstones });
        await converged();
        const storage = stored.open();
        const stale = await site.client.users.batchGetUsers({ userIds: [idOf(1)] });

        site.remove(idOf(1));
        await converged();
        const rules = { tombstones, onCreate: undefined };
        const result = await storage.merge(stale.users, await storage.readState(), rules);

        expect(result).toEqual({ written: 0, created: 0, removed: 0 });
        expect((await stored.users()).has(idOf(1))).toBe(false);
        expect(await mirror.ensureUser(idOf(1))).toBeUndefined();
      },
    );

    test("that fills in a User on demand goes together with the stream's", async () => {
      const { site, stored, open, converged } = await begin(2);
      const mirror = open();
      site.put(idOf(3));
      const users = await Promise.all([1, 2, 3, 3, 4].map((n) => mirror.ensureUser(idOf(n))));
      await converged();

      expect(users.map((user) => user?.id)).toEqual([...[1, 2, 3, 3].map(idOf), undefined]);
      expect((await stored.users()).size).toBe(3);
    });
  });
}
