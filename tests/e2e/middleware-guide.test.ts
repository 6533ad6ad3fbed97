import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { UserService } from "../../gen/signet/v1/user_service_pb.ts";
import { uniqueEmail, withCredential } from "../support/builders.ts";
import { openGuide } from "../support/guide.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import { blocksBeside, type RunningExample, startExample } from "../support/guide-example.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { rejection, until } from "../support/waiting.ts";

const PASSWORD = "four quiet otters swim";
const EXAMPLES = ["middleware-express", "middleware-fastify", "middleware-connect"] as const;

let opened: SiteOnService;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  opened = await openSiteOnService();
  environment = { SIGNET_URL: opened.service.url, SIGNET_KEY: opened.site.key };
});

afterAll(() => opened[Symbol.asyncDispose]());

async function createPerson(email = uniqueEmail(), roles: readonly string[] = []) {
  const { auth, users } = opened.site.backend;
  const delivery = Delivery.RETURN_TOKEN;
  const { userId, oneTimeToken } = await auth.register({ email, password: PASSWORD, delivery });
  await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
  if (roles.length > 0) await users.updateUser({ userId, roles: { roles: [...roles] } });
  return { email, userId };
}

async function signIn(email: string, audience = "shop") {
  const { auth } = opened.site.backend;
  const identifier = { case: "email", value: email } as const;
  const { result } = await auth.login({ identifier, password: PASSWORD, audiences: [audience] });
  if (result.case !== "session") throw new Error(`the login answered with ${result.case}`);
  const { accessToken = "", refreshToken = "" } = result.value.tokens ?? {};
  return { accessToken, refreshToken };
}

test("middleware.md shows code of the examples, which these tests run", () => {
  const blocks = blocksOf("middleware", "ts");

  expect(blocks).toHaveLength(4);
  expect(
    blocksBeside(
      blocks,
      EXAMPLES.map((name) => `${name}.ts`),
    ),
  ).toEqual([]);
});

describe.each(["middleware-express", "middleware-fastify"])("examples/%s.ts", (name) => {
  let app: RunningExample;

  beforeAll(async () => {
    app = await startExample(name, environment);
  });

  afterAll(() => app[Symbol.asyncDispose]());

  async function ask(page: string, token?: string) {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await fetch(`${app.url}/${page}`, { headers });
    return { status: answer.status, json: (await answer.json()) as object };
  }

  test("lets those in who may come in", async () => {
    const [ada, grace] = [await createPerson(), await createPerson(uniqueEmail(), ["editor"])];
    const [reader, editor] = [await signIn(ada.email), await signIn(grace.email)];

    const me = await ask("me", reader.accessToken);
    const welcomes = [await ask(""), await ask("", reader.accessToken)];
    const reports = [
      await ask("reports", reader.accessToken),
      await ask("reports", editor.accessToken),
    ];

    expect(me).toEqual({ status: 200, json: { userId: ada.userId, roles: ["user"] } });
    expect(welcomes.map(({ json }) => json)).toEqual([
      { welcome: "stranger" },
      { welcome: ada.userId },
    ]);
    expect(reports.map(({ status }) => status)).toEqual([403, 200]);
  });

  test("refuses a token for another service, and one whose Session has ended", async () => {
    const { email } = await createPerson();
    const { accessToken, refreshToken } = await signIn(email);
    expect((await ask("me", accessToken)).status).toBe(200);

    const other = await ask("me", (await signIn(email, "another")).accessToken);
    await opened.site.backend.auth.logout({ refreshToken });
    const late = await until(async () => {
      const { status } = await ask("me", accessToken);
      return status === 200 ? undefined : status;
    });

    expect(other.status).toBe(401);
    expect(late).toBe(401);
  });
});

test("the lines of middleware.md work in their order", async () => {
  await using app = await startExample("middleware-express", environment);
  const { userId } = await createPerson("ada@example.com");
  const guide = openGuide("middleware", { ...environment, APP_URL: app.url });

  const { session } = (await guide.runNext()) as {
    readonly session?: { readonly tokens: { readonly accessToken: string } };
  };
  const me = await guide.runNext({ "access token": session?.tokens.accessToken ?? "" });
  const refused = await guide.runNext();

  expect(me).toEqual({ userId, roles: ["user"] });
  expect(refused).toEqual({ error: "no_token", message: expect.any(String) });
  expect(guide.left()).toBe(0);
});

describe("examples/middleware-connect.ts", () => {
  let app: RunningExample;

  beforeAll(async () => {
    app = await startExample("middleware-connect", environment);
  });

  afterAll(() => app[Symbol.asyncDispose]());

  function usersAs(token?: string) {
    const transport = createConnectTransport({ baseUrl: app.url, httpVersion: "2" });
    return createClient(UserService, token ? withCredential(transport, token) : transport);
  }

  test("shows everybody themselves, whoever they ask for", async () => {
    const [ada, eve] = [await createPerson(), await createPerson()];
    const { accessToken } = await signIn(eve.email);

    const { user } = await usersAs(accessToken).getUser({ userId: ada.userId });

    expect(user?.id).toBe(eve.userId);
  });

  test("ends calls with the code that says why", async () => {
    const [ada, grace] = [await createPerson(), await createPerson(uniqueEmail(), ["editor"])];
    const reader = usersAs((await signIn(ada.email)).accessToken);
    const editor = usersAs((await signIn(grace.email)).accessToken);

    const anonymous = ConnectError.from(await rejection(usersAs().getUser({})));
    const bad = ConnectError.from(await rejection(usersAs("x").listUsers({})));
    const reading = ConnectError.from(await rejection(reader.listUsers({})));
    const { users } = await editor.listUsers({ pageSize: 500 });

    expect([anonymous.code, bad.code]).toEqual([Code.Unauthenticated, Code.Unauthenticated]);
    expect(anonymous.metadata.get("www-authenticate")).toBe("Bearer");
    expect(reading.code).toBe(Code.PermissionDenied);
    expect(users.map(({ id }) => id)).toContain(grace.userId);
  });
});
