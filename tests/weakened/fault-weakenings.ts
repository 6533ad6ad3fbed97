import type { Weakening } from "./weakening.ts";

/** What crashes, outages and restarts would show. */
export const faultWeakenings: readonly Weakening[] = [
  {
    name: "a User is changed half a second behind the answer",
    edits: [
      {
        file: "src/domain/users.ts",
        text: "import { saveNewUser, saveUser, write }",
        replacement: "import { saveNewUser, saveUser, writeBehind as write }",
      },
      {
        file: "src/domain/write.ts",
        text: "/** Inserts a User and its change.",
        replacement: `export async function writeBehind(deps: Deps, siteId: SiteId, work) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const later = async (tx: Queryable) => {
    const result = await work(tx);
    resolve(result); // Who has called need not wait for the commit.
    await new Promise((resume) => setTimeout(resume, 500));
    return result;
  };
  write(deps, siteId, later).catch(reject);
  return await promise;
}

/** Inserts a User and its change.`,
      },
    ],
    noticedBy: { fault: "service killed" },
    says: /lost: version \d+ of \S+ was acknowledged, and is not there/,
  },
  {
    name: "PostgreSQL confirms a commit before it is written",
    edits: [
      {
        file: "src/store/embedded-postgres/postmaster.ts",
        text: 'DURABLE = { synchronous_commit: "on"',
        replacement: 'DURABLE = { synchronous_commit: "off"',
      },
    ],
    noticedBy: { fault: "PostgreSQL killed" },
    says: /lost: version \d+ of \S+ was acknowledged/,
  },
  {
    name: "the reader of the log does not expect that the database is away",
    edits: [
      {
        file: "src/domain/change-reader.ts",
        text: "await step().then(onBack, onAway)",
        replacement: "await step().then(onBack)",
      },
    ],
    noticedBy: { fault: "PostgreSQL restarted" },
    says: /a process ended with its database/,
  },
  {
    name: "a statement without an answer is not taken for a lost connection",
    edits: [
      {
        file: "src/store/postgres-errors.ts",
        text: "return message === QUERY_TIMEOUT_MESSAGE || CONNECTION_MESSAGES.test(message);",
        replacement: "return CONNECTION_MESSAGES.test(message);",
      },
    ],
    noticedBy: { fault: "PostgreSQL frozen" },
    says: /wrong: .*Query read timeout.*"unexpected error"/,
  },
  {
    name: "nobody hears of a connection that is lost between two statements",
    edits: [
      {
        file: "src/store/database.ts",
        text: 'pool.on("connect", (client) => client.on("error", onLost));',
        replacement: "",
      },
    ],
    noticedBy: { fault: "backends terminated" },
    // The run, which writes in the same way, may end before a process of the service is seen to.
    says: /a process ended with its database|Unhandled 'error' event[\s\S]*terminating connection/,
  },
  {
    name: "a database without a connection left is not taken for one that is away",
    edits: [
      {
        file: "src/store/postgres-errors.ts",
        text: "/^53/, // insufficient resources, such as too many connections",
        replacement: "",
      },
    ],
    noticedBy: { fault: "connections refused" },
    says: /wrong: ConnectError: \[internal\] internal error/,
  },
  {
    name: "who has waited too long for a lock meets an error that nobody expected",
    edits: [
      { file: "src/store/postgres-errors.ts", text: "/^55P03$/, // lock_timeout", replacement: "" },
    ],
    noticedBy: { fault: "pool exhausted" },
    says: /wrong: ConnectError: \[internal\] internal error/,
  },
  {
    name: "the job of a mail is over before the mail is delivered",
    edits: [
      {
        file: "src/jobs/job-runner.ts",
        text: "const sent = await sendMail(mail, queued, job);",
        replacement: `void sendMail(mail, queued, job).catch(() => undefined);
    const sent = true;`,
      },
    ],
    noticedBy: { fault: "worker killed during a job" },
    says: /lost: of 1 mails not all have been delivered/,
  },
  {
    name: "a commit that fails is answered like one that does not",
    edits: [
      {
        file: "src/store/transaction.ts",
        text: "numbering?.mayNumber() ? numbering : undefined);",
        replacement: `numbering?.mayNumber() ? numbering : undefined).catch(
      async () => {
        broken = await rollback(client);
      },
    );`,
      },
    ],
    noticedBy: { fault: "disk full" },
    says: /lost: version \d+ of \S+ was acknowledged/,
  },
  {
    name: "a commit that was not answered is repeated",
    edits: [
      {
        file: "src/store/transaction.ts",
        text: "const lostBeforeCommit = !committing && isConnectionLost(error);",
        replacement: "const lostBeforeCommit = isConnectionLost(error);",
      },
    ],
    noticedBy: { fault: "commits unanswered", rounds: 3 },
    says: /wrong: (name \d+ took effect twice|version \d+ of \S+ is name \d+, which was refused)/,
  },
  {
    name: "a process that ends sends nobody elsewhere",
    edits: [{ file: "src/server/listener.ts", text: "protocols.retire();", replacement: "" }],
    noticedBy: { test: "e2e/rolling-restart.test.ts" },
    says: /AssertionError[\s\S]*"ConnectError: \[unavailable\] shutting down"/,
  },
  {
    name: "a process that ends still says that it is ready",
    edits: [
      {
        file: "src/server/shutdown.ts",
        text: 'readiness.set("not_draining", false);',
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/drain.test.ts", named: "ends 200 streams with UNAVAILABLE" },
    says: /AssertionError: expected \[ 1 \] to deeply equal \[ 1, 2 \]/,
  },
  {
    name: "a stream that comes back begins at the end of the log",
    edits: [
      {
        file: "src/rpc/watch-users.ts",
        text: "return { head, phase: place.phase, position: from, after };",
        replacement: "return { head, phase: place.phase, position, after };",
      },
    ],
    noticedBy: { test: "e2e/restart.test.ts" },
    // The client takes no checkpoint that is ahead of its own place, and so never gets there.
    says: /not within 90000 ms: \(\) => all\.every/,
  },
  {
    name: "an attempt of a worker that was killed is never made again",
    edits: [
      {
        file: "src/store/webhook-work.ts",
        text: `now() + \${lease.ms} * interval '1 millisecond'`,
        replacement: "'infinity'",
      },
    ],
    noticedBy: { test: "e2e/webhook-kills.test.ts" },
    says: /Error: not within 50000 ms: .*receiver\.accepted/,
  },
  {
    name: "a User whom an import has brought is not found again by the next",
    edits: [
      {
        file: "src/domain/import-matches.ts",
        text: ' ?? find("external_id", fields.externalId) ?? find("email", fields.email)',
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/import-crash.test.ts" },
    says: /"outcome": "REFUSED",\s+\+\s+"reason": "EMAIL_TAKEN"/,
  },
];
