import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientsOf, unique } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { rejection, until } from "../support/waiting.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057";

let opened: SiteOnService;

beforeAll(async () => {
  opened = await openSiteOnService();
});

afterAll(() => opened[Symbol.asyncDispose]());

function linesWith(requestId: string): readonly Record<string, unknown>[] {
  const lines = opened.service.stderr().split("\n");
  return lines.filter((line) => line.includes(`"${requestId}"`)).map((line) => JSON.parse(line));
}

const WIRES = [
  ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl })],
  ["Connect over HTTP/2", (baseUrl: string) => connect(baseUrl, "2", true)],
  ["JSON over HTTP/1.1", (baseUrl: string) => connect(baseUrl, "1.1", false)],
] as const;

describe.each(WIRES)("over %s", (_name, transportTo) => {
  const clients = (key: string) => clientsOf(transportTo(opened.service.url), key);

  test("an answer and its line have the id that the caller gave", async () => {
    const id = unique("own");
    const { sites } = clients(opened.site.key);
    let answered: string | null = null;

    await sites.getSite({}, { ...given(id), onHeader: (header) => (answered = idIn(header)) });

    expect(answered).toBe(id);
    await until(() => linesWith(id).length === 1);
  });

  test.each([
    ["refused by the rule of the RPC", async () => ({ userId: NOBODY }), "sgn_site_wrong"],
    ["not found", async () => ({ userId: NOBODY }), undefined],
  ])("an error has it too: %s", async (_why, request, key) => {
    const id = unique("error");
    const { users } = clients(key ?? opened.site.key);

    const error = ConnectError.from(await rejection(users.getUser(await request(), given(id))));

    expect(idIn(error.metadata)).toBe(id);
    await until(() => linesWith(id).length === 1);
  });

  test.each([
    ["none", undefined],
    ["one that is too long", "x".repeat(65)],
    ["one that could write into the log", 'a","level":"50'],
  ])("for %s there is one made here", async (_why, id) => {
    const { users } = clients(opened.site.key);
    const options = id === undefined ? {} : given(id);

    const error = ConnectError.from(await rejection(users.getUser({ userId: NOBODY }, options)));
    const made = idIn(error.metadata) ?? "";

    expect(made).toMatch(UUID);
    await until(() => linesWith(made).length === 1);
  });

  test("the line of an unexpected error has it besides that of the call", async () => {
    const id = unique("broken");
    const { users } = clients(opened.site.key);
    const { adminUrl } = opened.database;
    await runAsAdmin(adminUrl, "alter table signet.users rename to users_away");
    try {
      const error = ConnectError.from(
        await rejection(users.getUser({ userId: NOBODY }, given(id))),
      );
      expect(error.code).toBe(Code.Internal);
      expect(idIn(error.metadata)).toBe(id);
    } finally {
      await runAsAdmin(adminUrl, "alter table signet.users_away rename to users");
    }

    const lines = await until(() => (linesWith(id).length === 2 ? linesWith(id) : undefined));
    expect(lines.map(({ msg }) => msg).toSorted()).toEqual(["call", "unexpected error"]);
  });
});

function connect(baseUrl: string, httpVersion: "1.1" | "2", useBinaryFormat: boolean) {
  return createConnectTransport({ baseUrl, httpVersion, useBinaryFormat });
}

function given(id: string) {
  return { headers: { "x-request-id": id } };
}

function idIn(headers: Headers): string | null {
  return headers.get("x-request-id");
}
