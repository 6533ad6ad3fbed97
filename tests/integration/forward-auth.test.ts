import { afterAll, beforeAll, expect, test } from "vitest";
import type { Deps } from "../../src/domain/deps.ts";
import { createForwardAuth } from "../../src/domain/forward-auth.ts";
import { createKnownUsers } from "../../src/domain/known-users.ts";
import type { ProxiedRequest, RouteRequirements } from "../../src/model/proxied-request.ts";
import type { SiteDatabase } from "../../src/store/database.ts";
import { signUp } from "../support/builders.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { until } from "../support/waiting.ts";

const SETTINGS = { cookieName: undefined, loginUrl: undefined, identitySeconds: 60 };
const NOTHING_ASKED: RouteRequirements = { roles: [], siteIds: [], audience: "", redirects: false };

let service: InnerService;

beforeAll(async () => {
  service = await openInnerService();
});

afterAll(() => service[Symbol.asyncDispose]());

test("a request is judged without the database once its User is known", async () => {
  const { db, reads } = counted(service.deps.db);
  const deps = { ...service.deps, db };
  const users = createKnownUsers({ db, isFresh: deps.live.isFresh });
  const judge = createForwardAuth(deps, users, SETTINGS);
  const [ada, eve] = [await signUp(service.site.backend), await signUp(service.site.backend)];
  await until(() => deps.live.isFresh());
  await judge(requestOf(ada.accessToken), NOTHING_ASKED);
  const before = reads();

  const verdicts = await Promise.all(
    Array.from({ length: 100 }, () => judge(requestOf(ada.accessToken), NOTHING_ASKED)),
  );
  const between = reads();
  await judge(requestOf(eve.accessToken), NOTHING_ASKED);

  expect(new Set(verdicts.map(({ kind }) => kind))).toEqual(new Set(["passed"]));
  expect(between).toBe(before);
  expect(reads()).toBe(before + 1);
});

test("Users are forgotten when they change, after a gap, and where there are many", async () => {
  const { db, reads } = counted(service.deps.db);
  const users = createKnownUsers({ db, isFresh: () => true, usersMax: 1 });
  const [ada, eve] = [await signUp(service.site.backend), await signUp(service.site.backend)];
  const siteId = service.site.siteId as Parameters<typeof users.get>[0];
  const [adaId, eveId] = [ada.userId, eve.userId] as Parameters<typeof users.get>[1][];
  if (adaId === undefined || eveId === undefined) throw new Error("nobody has signed up");

  const countAfter = async (act: () => void, userId = adaId): Promise<number> => {
    act();
    const before = reads();
    await users.get(siteId, userId);
    return reads() - before;
  };
  const change = { type: "user_change", siteId, userId: adaId } as Parameters<
    typeof users.apply
  >[0][number];

  expect(await countAfter(() => undefined)).toBe(1);
  expect(await countAfter(() => undefined)).toBe(0);
  expect(await countAfter(() => users.apply([change], false))).toBe(1);
  expect(await countAfter(() => users.apply([], false))).toBe(0);
  expect(await countAfter(() => users.apply([], true))).toBe(1);
  expect(await countAfter(() => undefined, eveId)).toBe(1);
  expect(await countAfter(() => undefined)).toBe(1);
});

/** Counts what is read for the checks of tokens; the rest of the database is the real one. */
function counted(db: Deps["db"]) {
  let reads = 0;
  const validation: SiteDatabase = {
    ...db.validation,
    inSite: (...given) => {
      reads += 1;
      return db.validation.inSite(...given);
    },
    readIn: (siteId) => {
      reads += 1;
      return db.validation.readIn(siteId);
    },
  };
  return { db: { ...db, validation }, reads: () => reads };
}

function requestOf(accessToken: string): ProxiedRequest {
  return {
    authorizations: [`Bearer ${accessToken}`],
    cookies: "",
    method: "GET",
    accept: "",
    target: { scheme: "", host: "", path: "" },
  };
}
