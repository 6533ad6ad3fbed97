import { escapeLiteral } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId, type SiteId, type UserId } from "../../src/model/id.ts";
import { LIVE_STATES, type UserFilter } from "../../src/model/user-filter.ts";
import { toParameter } from "../../src/store/parameter.ts";
import { type Queryable, type Statement, sql } from "../../src/store/sql.ts";
import { type ListPlace, listUsers, scanUsers } from "../../src/store/user-lists.ts";
import { createBareSite } from "../support/bare-site.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { fillUsers } from "../support/many-users.ts";

const USERS = 200_000;
const SCAN_MAX = 5_000;
const PAGE = 50;

let database: TestDatabase;
let siteId: SiteId;

beforeAll(async () => {
  database = await openTestDatabase();
  siteId = await createBareSite(database.db);
  await fillUsers(database.adminUrl, { siteId, users: USERS });
});

afterAll(() => database[Symbol.asyncDispose]());

describe("a page of a list of 200,000 Users", () => {
  test.each<[string, Partial<UserFilter>, string, string]>([
    ["all of them", {}, "users_pkey", ""],
    ["a common role", { role: "user" }, "users_pkey", ""],
    ["a rare role", { role: "admin" }, "user_roles_pkey", ""],
    ["a rare role among many with another", { role: "editor" }, "user_roles_pkey", ""],
    ["a rare state", { states: ["disabled", "invited"] }, "users_not_active_idx", ""],
    ["verified addresses", { emailVerified: true }, "users_pkey", ""],
    ["recently changed", { updateTimeFrom: minutesAgo(1) }, "users_pkey", ""],
    ["recently created", { createTimeFrom: minutesAgo(1) }, "users_create_time_idx", timeKey(0.5)],
    ["ever created", { createTimeFrom: new Date(0) }, "users_create_time_idx", timeKey(100)],
    [
      "an address",
      { prefix: { of: "email", text: "user15" } },
      "users_email_prefix_idx",
      "user155",
    ],
    [
      "a username and a role",
      { prefix: { of: "username", text: "name1" }, role: "admin" },
      "users_username_prefix_idx",
      "name155",
    ],
  ])("is read by one index, from where the last one ended: %s", async (_, wanted, index, key) => {
    const filter = { states: LIVE_STATES, ...wanted };
    const places = [undefined, { id: newId<UserId>(minutesAgo(60)), key }];

    for (const after of places) {
      for (const plan of await plansOf(filter, after)) {
        const nodes = nodesOf(plan);
        const road = index === "user_roles_pkey" ? "user_roles" : "users";
        const scans = nodes.filter((node) => node["Relation Name"] === road);
        const looks = nodes.filter((node) => node["Relation Name"] === "users");
        expect(scans.map((node) => node["Index Name"])).toEqual([index]);
        expect(looks.map((node) => node["Index Name"])).toEqual([
          road === "users" ? index : "users_pkey",
        ]);
        expect(nodes.map((node) => node["Node Type"])).not.toContain("Sort");
        for (const scan of scans) {
          const looked = scan["Actual Rows"] + (scan["Rows Removed by Filter"] ?? 0);
          expect(looked).toBeLessThanOrEqual(SCAN_MAX);
          expect(scan["Index Cond"]).toContain("site_id");
          // Bounds that do not apply are gone from the plan, and the others enter the index.
          expect(JSON.stringify(scan)).not.toContain("NULL::");
          expect(scan.Filter ?? "").not.toMatch(/create_time|COLLATE|"C"/);
        }
      }
    }
  });
});

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Filter?: string;
  readonly "Actual Rows": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

/** Has the service's own statements explained as they are planned, under its role. */
async function plansOf(filter: UserFilter, after: ListPlace | undefined): Promise<PlanNode[]> {
  const plans: PlanNode[] = [];
  await database.db.inSite(siteId, async (tx) => {
    const explained: Queryable = {
      async query(statement) {
        const plan = await explain(tx, statement);
        plans.push(plan);
        return await tx.query(sql`select where false`);
      },
    };
    await listUsers(explained, siteId, filter, { after, limit: PAGE, scanMax: SCAN_MAX });
    await scanUsers(explained, siteId, filter, { after, scanMax: SCAN_MAX });
  });
  return plans;
}

/** What is explained directly is planned for its values; what is prepared before is not. */
async function explain(
  tx: Queryable,
  { text, values = [], ...kind }: Statement,
): Promise<PlanNode> {
  const given = values.map((value) => escapeLiteral(toParameter(value)?.toString() ?? ""));
  await tx.query({ ...kind, text: `prepare explained as ${text}` });
  const { rows } = await tx.query({
    ...kind,
    text: `explain (analyze, format json) execute explained (${given.join(", ")})`,
  });
  await tx.query({ ...kind, text: "deallocate explained" });
  const [{ Plan: plan } = { Plan: undefined }] = rows[0]?.["QUERY PLAN"] ?? [];
  if (!plan) throw new Error("there is no plan");
  return plan;
}

function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

function minutesAgo(minutes: number): Date {
  return new Date(Date.now() - minutes * 60_000);
}

function timeKey(minutes: number): string {
  return minutesAgo(minutes).toISOString();
}
