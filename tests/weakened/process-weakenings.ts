import type { Weakening } from "./weakening.ts";

/** What one process does not let the others know, or they do not heed. */
export const processWeakenings: readonly Weakening[] = [
  {
    name: "the end of a Session is not told to the other processes",
    edits: [
      {
        file: "src/domain/sessions.ts",
        text: "userId, expireTime } as const;\n  await insertRevocation(tx, siteId, notice, now);",
        replacement: "userId, expireTime } as const;",
      },
    ],
    noticedBy: { test: "e2e/two-processes.test.ts", named: "ends a Session at the other" },
    says: /not within 1000 ms/,
  },
  {
    name: "a revoked key is good as long as a process remembers it",
    edits: [
      {
        file: "src/domain/authentication.ts",
        text: "if (deps.live.isKeyRevoked(caller.siteId, caller.keyId)) throw badCredential();",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/two-processes.test.ts", named: "ends a key at the other" },
    says: /not within 1000 ms/,
  },
  {
    name: "a stream goes on when its key is revoked",
    edits: [
      {
        file: "src/rpc/stream-ends.ts",
        text: 'if (kind === "api_key_revoked") ended.add(',
        replacement: 'if (kind === "api_key_revoked") void (',
      },
    ],
    noticedBy: { test: "e2e/revocations.test.ts", named: "ends with its key" },
    says: /wanted goodbye, got/,
  },
  {
    name: "a used refresh token is judged by the clock of the process that is asked",
    edits: [
      {
        file: "src/store/refresh-tokens.ts",
        text: "t.use_time >= now() -",
        replacement: `t.use_time >= \${new Date()}::timestamptz -`,
      },
    ],
    noticedBy: { test: "e2e/refresh-clocks.test.ts", named: "the answer of the first was lost" },
    says: /\[unauthenticated\] refresh token invalid/,
  },
  {
    name: "an attempt at a webhook is taken for lost by the clock of another process",
    edits: [
      {
        file: "src/store/webhook-work.ts",
        text: "and (w.lease_id is null or w.next_attempt_time <= now())",
        replacement: "",
      },
    ],
    noticedBy: { test: "integration/webhook-delivery.test.ts", named: "by the database's clock" },
    says: /expected \[ 1, 1, 1 \] to deeply equal \[ 1, \+0, 1 \]/,
  },
  {
    name: "a heartbeat claims to know what was not read yet",
    edits: [
      {
        file: "src/domain/revocations.ts",
        text: "live.isFresh() ? new Date(clock.now().getTime() - FRESH_MS) : undefined",
        replacement: "new Date(clock.now().getTime() - FRESH_MS)",
      },
    ],
    noticedBy: { test: "e2e/revocations.test.ts", named: "claims to know nothing" },
    says: /expected \d+ to be less than \d+/,
  },
  {
    name: "an admin is whoever its token says is one",
    edits: [
      {
        file: "src/domain/admins.ts",
        text: 'if (caller.kind !== "user") return;',
        replacement: "return;",
      },
    ],
    noticedBy: { test: "e2e/last-admin.test.ts", named: "cannot give it back to itself" },
    says: /expected \[ .* \] to not include/,
  },
  {
    name: "a process learns of a signing key when it signs already",
    edits: [
      {
        file: "src/domain/known-sites.ts",
        text: "new Map(stored.map((key) =>",
        replacement: 'new Map(stored.filter(({ state }) => state !== "next").map((key) =>',
      },
      {
        // Nobody may rely on being woken; here the moment is too short to be met each time.
        file: "src/service.ts",
        text: "db.listen(CHANGE_CHANNEL, { onNotify, onState: reader.wake });",
        replacement: "db.listen(CHANGE_CHANNEL, { onNotify: () => undefined });",
      },
    ],
    noticedBy: { test: "e2e/key-rotation.test.ts" },
    says: /expected \[ .*\] to deeply equal \[\]/,
  },
  {
    name: "each process asks a Peer by itself",
    edits: [
      {
        file: "src/domain/peer-turn.ts",
        text: "while (!(await take())) {",
        replacement: "while ((await take()) === undefined) {",
      },
    ],
    noticedBy: { test: "e2e/peers.test.ts", named: "of 100 at once" },
    says: /\[unauthenticated\] login failed|expected \d+ to be \d+/,
  },
  {
    name: "a process limits an address by its own counts alone",
    edits: [
      {
        file: "src/domain/call-limits.ts",
        text: 'count.shared = Math.max(count.shared, byKey.get(key.toString("hex")) ?? 0);',
        replacement: "",
      },
    ],
    noticedBy: { test: "integration/rate-limits.test.ts", named: "by the other processes too" },
    says: /expected \d+ to be less than 6/,
  },
];
