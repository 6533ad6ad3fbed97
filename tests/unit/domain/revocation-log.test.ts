import { expect, test } from "vitest";
import type { ReaderStep } from "../../../src/domain/change-reader.ts";
import { createRevocationLog, type RevocationLog } from "../../../src/domain/revocation-log.ts";
import { newId, type SessionId, type SiteId, type UserId } from "../../../src/model/id.ts";
import type { Queryable } from "../../../src/store/sql.ts";

const MINE = newId<SiteId>();
const OTHERS = newId<SiteId>();

test("a log begins where its database stands, and covers nothing before", async () => {
  const log = await logAt(100);

  expect(log.place()).toEqual({ epoch: 1, pos: 100 });
  expect(log.covers({ epoch: 1, pos: 99 })).toBe(false);
  expect(log.covers({ epoch: 1, pos: 100 })).toBe(true);
  expect(log.covers({ epoch: 2, pos: 100 })).toBe(false);
});

test("what comes after a place is that of the Site, in pages, up to what was read", async () => {
  const log = await logAt(100);
  log.apply(step([101, MINE], [102, OTHERS], [103, MINE], [104, MINE], [105, OTHERS]));

  const first = log.after(MINE, 100, 2);
  const rest = log.after(MINE, first.pos, 2);

  expect([first.revocations.length, first.pos]).toEqual([2, 103]);
  expect([rest.revocations.length, rest.pos]).toEqual([1, 105]);
  expect(log.after(MINE, 105, 2)).toEqual({ revocations: [], pos: 105 });
});

test("a place that another process has reached first is covered, and stays", async () => {
  const log = await logAt(100);

  expect(log.covers({ epoch: 1, pos: 150 })).toBe(true);
  expect(log.after(MINE, 150, 10)).toEqual({ revocations: [], pos: 150 });
});

test("the oldest are forgotten beyond the limit, and no longer covered", async () => {
  const log = await logAt(0, 10);
  for (let pos = 1; pos <= 30; pos += 1) log.apply(step([pos, MINE]));

  expect(log.covers({ epoch: 1, pos: 5 })).toBe(false);
  expect(log.covers({ epoch: 1, pos: 29 })).toBe(true);
  expect(log.after(MINE, 29, 10).revocations).toHaveLength(1);
  for (let pos = 0; pos <= 30; pos += 1) {
    const isComplete = log.after(MINE, pos, 100).revocations.length === 30 - pos;
    expect(isComplete || !log.covers({ epoch: 1, pos })).toBe(true);
  }
});

test("a new epoch covers no place of the old one, and wakes everybody", async () => {
  const log = await logAt(100);
  const woken: string[] = [];
  log.onChange(MINE, () => woken.push("mine"));
  const leave = log.onChange(OTHERS, () => woken.push("others"));
  log.apply(step([101, MINE]));

  log.apply({ ...step(), epoch: 7, epochChanged: true });
  leave();
  log.apply({ ...step([2_000, OTHERS]), epoch: 7 });

  expect(woken).toEqual(["mine", "mine", "others"]);
  expect(log.covers({ epoch: 1, pos: 101 })).toBe(false);
  expect(log.after(OTHERS, 0, 10).revocations).toHaveLength(1);
  expect(log.place()).toEqual({ epoch: 7, pos: 2_000 });
});

test("notices that end nothing move the log on, and are not told", async () => {
  const log = await logAt(100);
  const commitTime = new Date();
  const notice = { kind: "site_changed", subjectId: MINE } as const;

  const row = { type: "notice", pos: 101, siteId: MINE, commitTime, notice } as const;
  log.apply({ epoch: 1, epochChanged: false, rows: [row] });

  expect(log.after(MINE, 100, 10)).toEqual({ revocations: [], pos: 101 });
});

async function logAt(head: number, entriesMax?: number): Promise<RevocationLog> {
  const log = createRevocationLog(entriesMax);
  const rows = [{ sequenced: 0, epoch: 1, head, pos: null }];
  const database: Pick<Queryable, "query"> = {
    query: async () => ({ rows, command: "", rowCount: 1, oid: 0, fields: [] }) as never,
  };
  await log.begin(database);
  return log;
}

function step(...places: readonly (readonly [number, SiteId])[]): ReaderStep {
  const expireTime = new Date(Date.now() + 1_000);
  const rows = places.map(([pos, siteId]) => {
    const [subjectId, userId] = [newId<SessionId>(), newId<UserId>()];
    const notice = { kind: "session_ended", subjectId, userId, expireTime } as const;
    return { type: "notice", pos, siteId, commitTime: new Date(), notice } as const;
  });
  return { epoch: 1, epochChanged: false, rows };
}
