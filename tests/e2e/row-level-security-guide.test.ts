import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { grpcClients, logIn } from "../support/builders.ts";
import { openGuide } from "../support/guide.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import { blocksBeside, type RunningExample, startExample } from "../support/guide-example.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { openTradesDatabase, type TradesDatabase } from "../support/trades-database.ts";

const ADA = { email: "ada@example.com", password: "four quiet otters swim" };

/** What this test reads of answers. */
interface Answer {
  readonly session?: { readonly tokens: { readonly accessToken: string } };
  readonly accessToken?: string;
  readonly id?: string;
}

let opened: SiteOnService;
let database: TradesDatabase;
let service: RunningExample;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  [opened, database] = await Promise.all([openSiteOnService(), openTradesDatabase()]);
  const signet = { SIGNET_URL: opened.service.url, SIGNET_KEY: opened.site.key };
  service = await startExample("row-level-security", { ...signet, DATABASE_URL: database.url });
  environment = { ...signet, LIVE_DATA_URL: service.url };
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await Promise.all([opened, database].map((each) => each[Symbol.asyncDispose]()));
});

async function register(person: { readonly email: string; readonly password: string }) {
  const { auth } = opened.site.backend;
  const { oneTimeToken } = await auth.register({ ...person, delivery: Delivery.RETURN_TOKEN });
  await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
}

/** Signs in at the first service, which gets a token for the second. */
async function tokenFor(person: typeof ADA, audience: string): Promise<string> {
  const { accessToken } = await logIn(opened.site.backend, person.email, person.password);
  const { auth } = grpcClients(opened.service.url, accessToken);
  return (await auth.exchangeToken({ audience })).accessToken;
}

async function trades(token: string, body?: object) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const how = body ? { method: "POST", body: JSON.stringify(body) } : {};
  const answer = await fetch(`${service.url}/trades`, { headers, ...how });
  return { status: answer.status, json: (await answer.json()) as object };
}

test("row-level-security.md shows code of its example, which these tests run", () => {
  const blocks = blocksOf("row-level-security", "ts");

  expect(blocks).toHaveLength(1);
  expect(blocksBeside(blocks, ["row-level-security.ts"])).toEqual([]);
});

test("the lines of row-level-security.md work in their order", async () => {
  await register(ADA);
  const guide = openGuide("row-level-security", environment);

  const { session } = (await guide.runNext()) as Answer;
  const accessToken = session?.tokens.accessToken ?? "";
  const exchanged = (await guide.runNext({ "access token": accessToken })) as Answer;
  const values = { "token for live data": exchanged.accessToken ?? "" };
  const { id } = (await guide.runNext(values)) as Answer;
  const listed = await guide.runNext(values);

  expect(listed).toEqual({ trades: [{ id, symbol: "ACME", quantity: 3 }] });
  expect(guide.left()).toBe(0);
  expect((await trades(accessToken)).status).toBe(401);
});

test("nobody sees the trades of others, whatever a request says", async () => {
  const [eve, mallory] = ["eve", "mallory"].map((name) => {
    return { email: `${name}@example.com`, password: `${name} has ${randomUUID()}` };
  });
  if (!eve || !mallory) throw new Error("two people are needed");
  await register(eve);
  await register(mallory);
  const [ofEve, ofMallory] = [
    await tokenFor(eve, "live-data"),
    await tokenFor(mallory, "live-data"),
  ];
  const bought = await trades(ofEve, { symbol: "EVE", quantity: 1 });
  const rows = "select user_id from trades where symbol = 'EVE'";
  const { user_id: eveId } = (await database.owner.pool.query(rows)).rows[0];

  const forged = { symbol: "FORGED", quantity: 1, user_id: eveId, userId: eveId };
  await trades(ofMallory, forged);

  const symbols = async (token: string) => JSON.stringify((await trades(token)).json);
  expect(bought.status).toBe(201);
  expect(await symbols(ofEve)).toMatch(/EVE/);
  expect(await symbols(ofEve)).not.toMatch(/FORGED/);
  expect(await symbols(ofMallory)).toMatch(/FORGED/);
  expect(await symbols(ofMallory)).not.toMatch(/EVE/);
});
