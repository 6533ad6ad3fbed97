import { afterAll, beforeAll, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { createKey, logIn, signUp } from "../support/builders.ts";
import { openGuide } from "../support/guide.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

/** What this test reads of answers. */
interface Answer {
  readonly user?: { readonly id: string; readonly version: string; readonly roles: string[] };
  readonly users?: readonly { readonly id: string }[];
}

let opened: SiteOnService;

beforeAll(async () => {
  opened = await openSiteOnService();
});

afterAll(() => opened[Symbol.asyncDispose]());

test("the lines of roles.md work in their order", async () => {
  const { operator, service, site } = opened;
  const scopes = [Scope.USERS_READ, Scope.USERS_WRITE, Scope.SITE_ADMIN];
  const key = await createKey(operator, site.siteId, { scopes });
  const guide = openGuide("roles", { SIGNET_URL: service.url, SIGNET_KEY: key });
  const person = await signUp(site.backend);

  const { user: grace } = (await guide.runNext()) as Answer;
  const { user: changed } = (await guide.runNext({
    "user id": grace?.id ?? "",
    version: grace?.version ?? "",
  })) as Answer;
  const { users: editors } = (await guide.runNext()) as Answer;
  const { user: admin } = (await guide.runNext({ "user id": person.userId })) as Answer;
  const { accessToken } = await logIn(site.backend, person.email, person.password);
  const { users } = (await guide.runNext({
    "access token of the admin": accessToken,
  })) as Answer;

  expect(grace?.roles).toEqual(["editor", "user"]);
  expect(changed?.roles).toEqual(["billing:read", "editor", "user"]);
  expect(editors?.map(({ id }) => id)).toEqual([grace?.id]);
  expect(admin?.roles).toEqual(["admin", "user"]);
  expect(users?.map(({ id }) => id)).toContain(person.userId);
  expect(guide.left()).toBe(0);
});
