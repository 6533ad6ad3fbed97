import { describe, expect, test } from "vitest";
import { type DashboardStory, OWN_COLUMNS, TABLE } from "../support/dashboard-story.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import { type RunningProgram, runProgram } from "../support/programs.ts";
import { rejection } from "../support/waiting.ts";

/** What is running; only within a test. */
export interface LinkingDashboard {
  story(): DashboardStory;
  /** Told of the mirror that the guide has started, which is to be stopped at the end. */
  noteMirror(mirror: RunningProgram): void;
}

/** Describes what becomes of the table of an app whose users are linked. */
export function describeLinkedTable({ story, noteMirror }: LinkingDashboard): void {
  describe("the table", () => {
    test("is looked at first, and nothing is written", async () => {
      const { guide } = story();

      const settings = await guide.runNext();
      const mirror = guide.startNext();
      noteMirror(mirror);
      await mirror.output.waitFor(/^users: live$/m, "the mirror");
      const plan = await guide.runNext();

      expect(settings).toMatchObject({
        site: { lifetimes: { accessTokenSeconds: 3600, sessionIdleSeconds: 604_800 } },
      });
      expect(plan).toMatchObject({ created: 3, unlinked: 3, problems: {} });
      expect(await story().columns()).not.toContain("auth_user_id");
    });

    test("gets a nullable column with an index and a foreign key, and loses nothing", async () => {
      const applied = await story().guide.runNext();
      const [column] = await story().rows(
        `select is_nullable, data_type from information_schema.columns
        where table_name = 'admin_users' and column_name = 'auth_user_id'`,
      );
      const keys = await story().rows(
        `select confrelid::regclass::text as target from pg_constraint
        where conrelid = '${TABLE}'::regclass and contype = 'f'`,
      );
      const indexes = await story().rows(
        `select from pg_indexes where tablename = 'admin_users' and indexdef like '%auth_user_id%'`,
      );
      const stranger = `update ${TABLE} set auth_user_id = gen_random_uuid() where id = 1`;

      expect(applied).toMatchObject({ created: 3, matched: 0 });
      expect(column).toEqual({ is_nullable: "YES", data_type: "uuid" });
      expect(keys).toEqual([{ target: "signet_users" }]);
      expect(indexes).toHaveLength(1);
      expect(String(await rejection(story().rows(stranger)))).toMatch(/foreign key/);
      expect(await story().contents(OWN_COLUMNS)).toBe(story().before);
    });

    test("is linked with a note of each row, and a second run finds nothing to do", async () => {
      const { environment } = story();
      const links = await story().contents("id, auth_user_id");
      const [setUp = "", , , , apply = ""] = blocksOf("behind-traefik", "sh");

      const script = ["-c", `${setUp}\n${apply}`];
      const again = JSON.parse((await runProgram("bash", script, environment)).stdout);
      const [counts] = await story().rows(blocksOf("behind-traefik", "sql")[0] ?? "");
      const log = await story().rows(
        `select row_id, outcome from ${TABLE}_link_log order by row_id`,
      );

      expect(again).toMatchObject({ created: 0, matched: 0 });
      expect(counts).toEqual({ total: 3, linked: 3, unlinked: 0 });
      expect(await story().contents("id, auth_user_id")).toBe(links);
      expect(log).toEqual(["1", "2", "3"].map((id) => ({ row_id: id, outcome: "created" })));
    });
  });
}
