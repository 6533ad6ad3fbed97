import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Pool } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RevocationSchema } from "../../../gen/signet/v1/change_pb.ts";
import {
  type WatchRevocationsResponse,
  WatchRevocationsResponseSchema,
} from "../../../gen/signet/v1/sync_service_pb.ts";
import { createRevocationMirror, type SignetClient } from "../../../src/client/index.ts";
import { unique } from "../../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../../support/database.ts";
import { until } from "../../support/waiting.ts";

type Frame = NonNullable<MessageInitShape<typeof WatchRevocationsResponseSchema>["frame"]>;

type RevocationInit = MessageInitShape<typeof RevocationSchema>;

const SITE_ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const WAIT_MS_MAX = 20_000;
const HOUR_MS = 3_600_000;

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await openTestDatabase();
  pool = new Pool({ connectionString: database.adminUrl });
});

afterAll(async () => {
  await pool.end();
  await database[Symbol.asyncDispose]();
});

test.each([
  ["is an hour ahead", HOUR_MS],
  ["is an hour behind", -HOUR_MS],
])("the age is told on the database's clock where that of Signet %s", async (_, aheadMs) => {
  await using place = openPlace(() => {
    const nowMs = Date.now() + aheadMs;
    return [hello(nowMs), heartbeat(nowMs - 1_000)];
  });

  const { age, asOfAge } = await until(place.read, WAIT_MS_MAX);

  expect(age).toBeGreaterThanOrEqual(1);
  expect(age).toBeLessThan(25);
  expect(Math.abs(asOfAge + aheadMs / 1_000)).toBeLessThan(25);
});

test("a heartbeat that has lain somewhere makes nothing younger", async () => {
  await using place = openPlace(() => [hello(Date.now()), heartbeat(Date.now() - 20_000)]);

  const { age } = await until(place.read, WAIT_MS_MAX);

  expect(age).toBeGreaterThanOrEqual(20);
});

test("a stream that brings old heartbeats alone is left for another", async () => {
  let streams = 0;
  await using place = openPlace(() => {
    streams++;
    const nowMs = Date.now();
    return [hello(nowMs), heartbeat(streams === 1 ? nowMs - HOUR_MS : nowMs)];
  });

  const { age } = await until(async () => {
    const found = await place.read();
    return found && found.age < 25 ? found : undefined;
  }, WAIT_MS_MAX);

  expect(streams).toBe(2);
  expect(age).toBeLessThan(25);
});

test("nothing goes before its time where Signet's clock is hours ahead", async () => {
  await using place = openPlace(() => {
    const [nowMs, aheadMs] = [Date.now(), 3 * HOUR_MS];
    const revocations = [sessionEnded("over", nowMs - 2 * HOUR_MS), sessionEnded("matters", nowMs)];
    const batch = { case: "revocationBatch", value: { revocations, cursor: "x" } } as const;
    return [hello(nowMs + aheadMs), batch, heartbeat(nowMs + aheadMs - 1_000)];
  });
  await until(place.read, WAIT_MS_MAX);

  const left = await until(async () => {
    const ids = await place.listSubjects();
    return ids.includes("over") ? undefined : ids;
  }, WAIT_MS_MAX);

  expect(left).toEqual(["matters"]);
});

function sessionEnded(sessionId: string, revokeMs: number): RevocationInit {
  const revokeTime = timestampFromMs(revokeMs);
  const expireTime = timestampFromMs(revokeMs + HOUR_MS);
  return { subject: { case: "sessionEnded", value: { sessionId } }, revokeTime, expireTime };
}

function hello(serverMs: number): Frame {
  const value = { siteId: SITE_ID, heartbeatMs: 2_000, serverTime: timestampFromMs(serverMs) };
  return { case: "hello", value };
}

function heartbeat(asOfMs: number): Frame {
  return { case: "heartbeat", value: { asOf: timestampFromMs(asOfMs), cursor: "x" } };
}

/** A mirror that follows scripted streams, each of which stays silent after its frames. */
function openPlace(script: () => Frame[]) {
  const table = unique("clock").replace("-", "_");
  const mirror = createRevocationMirror({ client: playing(script), pool, table });
  return {
    /** How old it is, in seconds, by the database's clock and by that of Signet. */
    async read(): Promise<{ readonly age: number; readonly asOfAge: number } | undefined> {
      const { rows } = await pool.query<{ age: string | null; as_of_age: string }>(
        `select extract(epoch from clock_timestamp() - known_time)::text as age,
                extract(epoch from clock_timestamp() - as_of)::text as as_of_age
           from ${table}_state`,
      );
      const { age, as_of_age: asOfAge } = rows[0] ?? {};
      return age ? { age: Number(age), asOfAge: Number(asOfAge) } : undefined;
    },
    async listSubjects(): Promise<unknown[]> {
      const { rows } = await pool.query(`select subject_id from ${table}`);
      return rows.map(({ subject_id: id }) => id);
    },
    [Symbol.asyncDispose]: () => mirror.close(),
  };
}

function playing(script: () => Frame[]): Pick<SignetClient, "watchRevocations"> {
  return {
    watchRevocations({ signal }) {
      const frames = script();
      return {
        async next() {
          const frame = frames.shift();
          if (frame) return { frame: toResponse(frame) };
          await silence(signal);
          return { frame: undefined, error: undefined };
        },
        [Symbol.dispose]() {},
      };
    },
  };
}

/** Lasts until the signal is aborted. */
async function silence(signal: AbortSignal): Promise<void> {
  const ended = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => ended.resolve());
  if (!signal.aborted) await ended.promise;
}

function toResponse(frame: Frame): WatchRevocationsResponse {
  return create(WatchRevocationsResponseSchema, { frame });
}
