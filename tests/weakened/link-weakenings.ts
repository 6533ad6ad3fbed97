import type { Weakening } from "./weakening.ts";

const SEQUENCER = "src/store/migrations/0030_own_changes.sql";

/** Links that fail or are slow, clocks, and those who read what is changed. */
export const linkWeakenings: readonly Weakening[] = [
  {
    name: "a refresh token that is presented again is always taken for stolen",
    edits: [
      {
        file: "src/domain/refresh-tokens.ts",
        text: "if (!used.inGrace || !used.successorUnused) return",
        replacement: "return",
      },
    ],
    noticedBy: { fault: "clients in a black hole", rounds: 2 },
    says: /wrong: the Session \S+ has ended by itself/,
  },
  {
    name: "a refresh token has no grace by the time a client has given up",
    edits: [
      {
        file: "src/domain/refresh-tokens.ts",
        text: "const GRACE_MS = 10_000;",
        replacement: "const GRACE_MS = 1_000;",
      },
    ],
    noticedBy: { fault: "answers lost" },
    says: /wrong: the Session \S+ has ended by itself/,
  },
  {
    name: "a refresh token that was used may be used again",
    edits: [
      {
        file: "src/store/refresh-tokens.ts",
        text: " and t.use_time is null\n",
        replacement: "\n",
      },
    ],
    noticedBy: { fault: "service half-open", rounds: 3 },
    says: /wrong: \d+ Sessions have \d+ tokens that are good/,
  },
  {
    name: "an update does not look at the version that it was meant for",
    edits: [
      {
        file: "src/domain/users.ts",
        text: "checkVersion(before, expectedVersion);",
        replacement: "",
      },
    ],
    noticedBy: { fault: "requests duplicated" },
    says: /wrong: name \d+ was acknowledged twice/,
  },
  {
    name: "a User is read for a change without a lock",
    edits: [
      {
        file: "src/store/users.ts",
        text: "\n       for no key update`);\n  return rows[0]",
        replacement: "`);\n  return rows[0]",
      },
    ],
    noticedBy: { fault: "requests duplicated" },
    says: /wrong: name \d+ was acknowledged twice/,
  },
  {
    name: "a client stays with a connection that has fallen silent",
    edits: [
      {
        file: "src/client/interceptors.ts",
        text: "if (isOverdue(request.signal)) connection.leaveIfSilentSince(startMs);",
        replacement: "",
      },
    ],
    noticedBy: { fault: "clients half-open" },
    says: /not within 60000 ms: \(\) => users\.countUsers/,
  },
  {
    name: "a statement that is not answered is an error nobody foresaw",
    edits: [
      {
        file: "src/store/postgres-errors.ts",
        text: "return message === QUERY_TIMEOUT_MESSAGE || CONNECTION_MESSAGES",
        replacement: "return CONNECTION_MESSAGES",
      },
    ],
    noticedBy: { fault: "database in a black hole" },
    says: /wrong: .*Query read timeout.*"unexpected error"/,
  },
  {
    name: "a connection that no longer answers goes back to its pool",
    edits: [
      {
        file: "src/store/transaction.ts",
        text: "client?.release(broken);",
        replacement: "client?.release();",
      },
    ],
    noticedBy: { fault: "database half-open" },
    says: /not within 60000 ms: \(\) => isDead\(\) \|\| isReady\(url\)/,
  },
  {
    name: "a reader who is slow is sent nothing but the newest frame",
    edits: [
      {
        file: "src/rpc/watch-live.ts",
        text: "while (!stream.ending && stream.blockedMs === undefined) {",
        replacement: "while (!stream.ending) {",
      },
      {
        file: "src/rpc/user-stream.ts",
        text: "if (stream.sink.write(frame)) return;",
        replacement: `if (stream.blockedMs !== undefined) {
    stream.newest = frame;
    return;
  }
  if (stream.sink.write(frame)) return;`,
      },
      {
        file: "src/rpc/user-stream.ts",
        text: "stream.blockedMs = undefined;",
        replacement: `stream.blockedMs = undefined;
    const { newest } = stream;
    stream.newest = undefined;
    if (newest) send(stream, newest);`,
      },
    ],
    noticedBy: { fault: "readers slow" },
    says: /wrong: a gap after \d+/,
  },
  {
    name: "changes are put in order by the time of day",
    edits: [
      {
        file: SEQUENCER,
        text: "row_number() over (order by f.seq)",
        replacement: "row_number() over (order by f.commit_time, f.seq)",
      },
      {
        file: SEQUENCER,
        text: "order by f.seq desc",
        replacement: "order by f.commit_time desc, f.seq desc",
      },
    ],
    noticedBy: { fault: "clock stepped", rounds: 3 },
    says: /wrong: \S+: (?:user_updated with version \d+ follows|version \d+ comes after) \d+/,
  },
  {
    name: "a statement relies on the columns that a table has at present",
    edits: [
      {
        file: "src/store/users.ts",
        text: "{USER_COLUMNS} from signet.users where",
        replacement: "{fragment`*`} from signet.users where",
      },
      {
        file: "src/store/postgres-errors.ts",
        text: '["0A000", "26000"',
        replacement: '["26000"',
      },
    ],
    noticedBy: { fault: "rolling upgrade" },
    says: /wrong: .*"code":"0A000".*"unexpected error"/,
  },
  {
    name: "a client that answers no ping is kept",
    edits: [{ file: "src/server/session-health.ts", text: "missed += 1;", replacement: "" }],
    noticedBy: {
      test: "e2e/idle-connections.test.ts",
      named: "a client that was stopped",
    },
    says: /not within 15000 ms: \(\) => mayStream/,
  },
  {
    name: "a mirror keeps its place before it keeps the Users",
    edits: [
      {
        file: "src/client/postgres-mirror.ts",
        text: "const moved = await moveStateRow(connection, names, from, to);",
        replacement: `const moved = await moveStateRow(connection, names, from, to);
        await connection.query("commit");
        await connection.query("begin");`,
      },
    ],
    noticedBy: { test: "e2e/dying-consumer.test.ts" },
    says: /AssertionError: expected \[.+\] to deeply equal \[\]/,
  },
  {
    name: "frames are queued for a reader who does not read",
    edits: [
      {
        file: "src/rpc/watch-live.ts",
        text: "while (!stream.ending && stream.blockedMs === undefined) {",
        replacement: "while (!stream.ending) {",
      },
    ],
    noticedBy: { test: "integration/watch-slow.test.ts", named: "is sent nothing more" },
    says: /AssertionError: expected \d+ to be \d+/,
  },
  {
    name: "a stream goes on where its snapshot has ended, not where it has begun",
    edits: [
      {
        file: "src/rpc/watch-snapshot.ts",
        text: "if (head.position === position) stream.sums = head.sums;",
        replacement: "stream.position = head.position;\n  stream.sums = head.sums;",
      },
    ],
    noticedBy: { test: "e2e/snapshot-under-writes.test.ts" },
    says: /a gap after \d+/,
  },
  {
    name: "a mirror is copied anew where it could be compared",
    edits: [
      {
        file: "src/client/mirror-step.ts",
        text: 'wasFilled && !hasOtherFields ? "compare" : "new"',
        replacement: '"new"',
      },
    ],
    noticedBy: { test: "e2e/mirror-restore.test.ts" },
    says: /AssertionError: expected 2 to be 1/,
  },
  {
    name: "changes are numbered again while an older transaction is open",
    edits: [
      {
        file: SEQUENCER,
        text: "select o.* from signet.change_outbox o where o.xid >= pg_snapshot_xmax(",
        replacement: "select o.* from signet.change_outbox o where o.xid >= pg_snapshot_xmin(",
      },
    ],
    noticedBy: { test: "integration/sequencer-race.test.ts" },
    // Where the log soon has more than is kept, only its sums are left to tell.
    says: /version \d+ comes after \d+|\\"users\\":\d+.+ instead of/,
  },
  {
    name: "a change that commits late is overlooked",
    edits: [
      {
        file: SEQUENCER,
        text: "select o.* from signet.change_outbox o where o.xid = any (in_progress)",
        replacement: "select o.* from signet.change_outbox o where false",
      },
    ],
    noticedBy: {
      test: "integration/sequencer.test.ts",
      named: "a change that commits late",
    },
    says: /a change that commits late .*not within 15000 ms/s,
  },
];
