import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import type { ExportedUser } from "../../gen/signet/v1/user_service_pb.ts";
import {
  type Clients,
  createKey,
  createSite,
  grpcClients,
  refusal,
  signUp,
} from "../support/builders.ts";
import { encoded, importRows } from "../support/imports.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator } = opened;

const HASH = `$2b$10$${"a".repeat(53)}`;
const USERS = 1_200;

let siteId: string;
let backend: Clients;

beforeAll(async () => {
  siteId = await createSite(operator);
  backend = grpcClients(service.url, await createKey(operator, siteId));
  const rows = Array.from({ length: USERS }, (_, n) => ({
    email: `${n % 2 ? "odd" : "even"}${n}@example.com`,
    emailVerified: n % 3 === 0,
    roles: n % 100 === 0 ? ["staff", "user"] : ["user"],
    ...(n % 10 === 0 && { passwordHash: encoded(HASH) }),
  }));
  await importRows(backend, rows);
});

type Request = Parameters<Clients["users"]["exportUsers"]>[0];

async function readAll(clients: Clients, request: Request = {}) {
  const users: ExportedUser[] = [];
  const tokens: string[] = [];
  for await (const message of clients.users.exportUsers(request)) {
    users.push(...message.users);
    tokens.push(message.resumeToken);
  }
  return { users, tokens };
}

const emailsOf = (users: readonly ExportedUser[]) => users.map(({ user }) => user?.email ?? "");

describe("an export", () => {
  test("has each User once, in the order of ids, without hashes", async () => {
    const { users } = await readAll(backend);

    const ids = users.map(({ user }) => user?.id ?? "");
    expect(ids).toHaveLength(USERS);
    expect(ids).toEqual([...new Set(ids)].toSorted());
    expect(users.filter(({ passwordHash }) => passwordHash)).toEqual([]);
  });

  test("goes on behind any message", async () => {
    const whole = await readAll(backend);

    const rest = await readAll(backend, { resumeToken: whole.tokens[0] ?? "" });
    const nothing = await readAll(backend, { resumeToken: whole.tokens.at(-1) ?? "" });

    const first = whole.users.length - rest.users.length;
    expect(first).toBeGreaterThan(0);
    expect(emailsOf(rest.users)).toEqual(emailsOf(whole.users.slice(first)));
    expect(nothing.users).toEqual([]);
  });

  test.each<[string, NonNullable<Request["filter"]>, number]>([
    ["a role", { role: "staff" }, 12],
    ["verified addresses", { emailVerified: true }, 400],
    ["a prefix", { prefix: { case: "emailPrefix", value: "ODD" } }, 600],
    ["a prefix that nobody has", { prefix: { case: "usernamePrefix", value: "x" } }, 0],
    ["a state", { states: [UserState.DISABLED] }, 0],
  ])("is filtered by %s", async (_name, filter, count) => {
    expect((await readAll(backend, { filter })).users).toHaveLength(count);
  });

  test("does not go on with another filter, nor on another Site", async () => {
    const { tokens } = await readAll(backend);
    const resumeToken = tokens[0] ?? "";
    const other = await createSite(operator);

    const asked = { resumeToken, filter: { role: "user" } };
    const refusals = await Promise.all([
      refusal(readAll(backend, asked)),
      refusal(readAll(operator, { siteId: other, resumeToken })),
    ]);

    expect(refusals.map(({ reason }) => reason)).toEqual([
      "INVALID_PAGE_TOKEN",
      "INVALID_PAGE_TOKEN",
    ]);
  });

  test("has hashes for an operator alone, and is told of", async () => {
    const denied = await refusal(readAll(backend, { includePasswordHashes: true }));

    const { users } = await readAll(operator, { siteId, includePasswordHashes: true });

    expect(denied.reason).toBe("ACCESS_DENIED");
    const hashed = users.filter(({ passwordHash }) => passwordHash);
    expect(hashed).toHaveLength(USERS / 10);
    expect(hashed[0]?.passwordHash?.scheme).toEqual({ case: "encoded", value: HASH });
    const { events } = await operator.users.listAuditEvents({ siteId });
    expect(events.slice(0, 2)).toMatchObject([
      {
        kind: "site.export_ended",
        facts: { users: `${USERS}`, password_hashes: "true", complete: "true" },
      },
      { kind: "site.export_started", facts: { password_hashes: "true" } },
    ]);
  });

  test("shows a key what its projection leaves, and no filter by the rest", async () => {
    const key = await createKey(operator, siteId, {
      scopes: [Scope.USERS_READ],
      userFields: ["display_name"],
    });
    const reader = grpcClients(service.url, key);

    const { users } = await readAll(reader);
    const asked = { filter: { prefix: { case: "emailPrefix", value: "odd" } } } as const;

    expect(users).toHaveLength(USERS);
    expect(emailsOf(users).filter(Boolean)).toEqual([]);
    expect((await refusal(readAll(reader, asked))).reason).toBe("ACCESS_DENIED");
  });

  test("is for no User but an admin", async () => {
    const ada = await signUp(backend);
    const asAda = grpcClients(service.url, ada.accessToken);

    const denied = await refusal(readAll(asAda));

    expect(denied.reason).toBe("ACCESS_DENIED");
  });
});
