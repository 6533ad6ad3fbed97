import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { createKey, grpcClients } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Guide, openGuide } from "../support/guide.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import { blocksBeside } from "../support/guide-example.ts";
import { openTestFolder } from "../support/postgres.ts";
import type { RunningProgram } from "../support/programs.ts";
import { freePort, startService, type TestService } from "../support/service.ts";
import { pathWithSignet } from "../support/signet-command.ts";
import { openTradesDatabase, type TradesDatabase } from "../support/trades-database.ts";

/** As the guide has her. */
const ADA = { email: "ada@example.com", password: "four quiet otters swim" };

/** What this test reads of answers. */
interface Answer {
  readonly site?: { readonly id: string };
  readonly secret?: string;
  readonly id?: string;
  readonly userId?: string;
}

let folder: string;
let database: TestDatabase;
let trades: TradesDatabase;
let service: TestService;
let guide: Guide;
const running: RunningProgram[] = [];

beforeAll(async () => {
  [folder, database, trades] = await Promise.all([
    openTestFolder(),
    openTestDatabase(),
    openTradesDatabase(),
  ]);
  service = await startService({ databaseUrl: database.appUrl });
  guide = openGuide(
    "second-service",
    {
      PATH: await pathWithSignet(),
      SIGNET_URL: service.url,
      SIGNET_KEY: service.operatorKey,
      LIVE_DATA_DATABASE: trades.url,
    },
    {
      3000: `${await freePort()}`,
      3001: `${await freePort()}`,
      "cookies.txt": join(folder, "cookies.txt"),
    },
  );
});

afterAll(async () => {
  await Promise.all(running.map((program) => program.stop()));
  await Promise.all([service, trades].map((each) => each[Symbol.asyncDispose]()));
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function start(values: Readonly<Record<string, string>>): Promise<void> {
  const program = guide.startNext(values);
  running.push(program);
  await program.output.waitFor(/the app is ready/, "the app was ready");
}

async function registerAda(siteId: string): Promise<void> {
  const operator = grpcClients(service.url, service.operatorKey);
  const { auth } = grpcClients(service.url, await createKey(operator, siteId));
  const { oneTimeToken } = await auth.register({ ...ADA, delivery: Delivery.RETURN_TOKEN });
  await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
}

test("second-service.md shows code of examples/main-app.ts", () => {
  const blocks = blocksOf("second-service", "ts");

  expect(blocks).toHaveLength(1);
  expect(blocksBeside(blocks, ["main-app.ts"])).toEqual([]);
});

test("the lines of second-service.md work in their order", async () => {
  const siteId = ((await guide.runNext()) as Answer).site?.id ?? "";
  const mainKey = ((await guide.runNext({ "site id": siteId })) as Answer).secret ?? "";
  const liveKey = ((await guide.runNext({ "site id": siteId })) as Answer).secret ?? "";
  await registerAda(siteId);
  await start({ "key of live data": liveKey });
  await start({ "key of the main app": mainKey });

  const alive = await guide.runNext();
  const { userId = "" } = (await guide.runNext()) as Answer;
  const { id } = (await guide.runNext()) as Answer;
  const listed = await guide.runNext();
  const claimed = await guide.runNext({ "user id": userId });
  const left = await guide.runNext();

  expect(alive).toEqual({ status: "alive" });
  expect(listed).toEqual({ trades: [{ id, symbol: "ACME", quantity: 3 }] });
  expect(claimed).toMatchObject({ error: "no_token" });
  expect(left).toEqual({ next: "sign in" });
  expect(guide.left()).toBe(0);
});
