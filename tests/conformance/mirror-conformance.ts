import { describe, expect, test } from "vitest";
import { MirrorError } from "../../src/client/index.ts";
import { until } from "../support/waiting.ts";
import { describeExactness } from "./mirror-exactness.ts";
import { describeHealth } from "./mirror-health.ts";
import { describeInstances } from "./mirror-instances.ts";
import { beginTrial, idsOf, lastStatus, type MirrorUnderTest, WAIT_MS } from "./mirror-trial.ts";
import { idOf, SITE_ID, startSiteModel } from "./site-model.ts";

/** Describes what every Mirror has to do, whatever it is stored in. */
export function describeMirror<Transaction>(
  name: string,
  create: () => Promise<MirrorUnderTest<Transaction>>,
): void {
  const begin = (count: number) => beginTrial(create, count);
  describeInstances(name, create);
  describeExactness(name, create);
  describeHealth(name, create);

  describe(`${name}: a mirror`, () => {
    test("holds the Users of the snapshot, and then every Change", async () => {
      const { site, stored, open, converged } = await begin(7);
      const mirror = open();

      await mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
      const filled = await stored.users();
      site.put(idOf(8));
      site.put(idOf(1), "new@example.com");
      site.remove(idOf(2));
      await converged();

      expect(filled.size).toBe(7);
      await expect
        .poll(() => mirror.counters)
        .toMatchObject({ created: 8, removed: 1, snapshots: 1, failures: 0 });
    });

    test.each(["duplicates", "disorder", "gap", "cuts"] as const)(
      "is right in spite of %s on the way",
      async (fault) => {
        const { site, open, converged } = await begin(5);
        site.faults[fault] = true;
        const created: string[] = [];
        open({ onCreate: async (_, users) => void created.push(...idsOf(users)) });
        await converged();

        for (const n of [1, 1, 2, 6, 6, 3]) site.put(idOf(n), `new${n}@example.com`);
        site.remove(idOf(2));
        site.remove(idOf(6));
        site.put(idOf(7));
        await converged();

        expect(created.length).toBe(new Set(created).size);
      },
      2 * WAIT_MS,
    );

    test("notices a gap right after it has resumed", async () => {
      const { site, open, converged } = await begin(5);
      const first = open();
      await converged();
      await first.close();
      await until(() => site.streams() === 0);

      for (const n of [1, 2, 3, 4, 5]) site.put(idOf(n), `new${n}@example.com`);
      site.faults.gap = true;
      const second = open();
      await converged();

      await expect.poll(() => second.counters).toMatchObject({ failures: 1, snapshots: 0 });
    });

    test("is right when Users are deleted and created during the snapshot", async () => {
      const { site, open, converged } = await begin(9);
      site.onPage = (page) => {
        if (page !== 1) return;
        site.remove(idOf(1)); // Was in the page before.
        site.remove(idOf(9)); // Would be in a page to come.
        site.put(idOf(2), "changed@example.com");
        site.put(idOf(99));
      };

      open();

      await converged();
    });

    test("keeps a User who is filled in after the page was read that would have it", async () => {
      const { site, stored, open, converged } = await begin(8);
      const mirror = open();
      await converged();
      const early = idOf(0);
      site.onPage = async (page) => {
        if (page === 0) site.put(early);
        if (page === 0) await mirror.ensureUser(early);
      };

      site.userFields = ["username"];
      site.cut();
      await until(() => mirror.counters.snapshots === 2, WAIT_MS);
      await mirror.waitUntilFilled({ timeoutMs: WAIT_MS });
      await converged();

      expect((await stored.users()).has(early)).toBe(true);
      await expect.poll(() => mirror.counters).toMatchObject({ removed: 0 });
    });

    test("takes the Site's rows after a restore, lower versions too", async () => {
      const { site, stored, open, converged } = await begin(4);
      site.put(idOf(2), "lost@example.com");
      open();
      await converged();

      site.forget(idOf(4));
      site.restoreBackup(idOf(2), "old@example.com");
      await converged();

      expect((await stored.users()).get(idOf(2))).toBe("old@example.com");
    });

    test("takes equal versions again when the key sees other fields", async () => {
      const { site, stored, open, converged } = await begin(4);
      site.userFields = ["username"];
      const mirror = open();
      await converged();
      const narrow = await stored.users();

      await mirror.close();
      site.userFields = [];
      open();
      await converged();

      expect(new Set(narrow.values())).toEqual(new Set([""]));
    });

    test("removes every User with the Site, and closes", async () => {
      const { site, stored, open, converged } = await begin(4);
      const mirror = open();
      await converged();

      site.deleteSite();
      const last = await lastStatus(mirror);

      expect(last).toEqual({ type: "closed", error: undefined });
      expect((await stored.users()).size).toBe(0);
    });

    test("refuses the Users of another Site", async () => {
      const { stored, open, converged } = await begin(2);
      await using other = await startSiteModel(SITE_ID.replace(/0$/, "1"));
      const mirror = open();
      await converged();
      await mirror.close();

      const wrong = open({ client: other.client });
      const last = await lastStatus(wrong);

      expect(last).toMatchObject({ type: "closed", error: expect.any(MirrorError) });
      expect((await stored.users()).size).toBe(2);
    });
  });
}
