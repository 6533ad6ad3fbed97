import type { Weakening } from "./weakening.ts";

/** What must hold whoever else does the same, or its opposite, at the same instant. */
export const raceWeakenings: readonly Weakening[] = [
  {
    name: "a refresh token is seen to be unused before its Session is locked",
    edits: [
      {
        file: "src/store/refresh-tokens.ts",
        text: "and t.use_time is null",
        replacement: `and exists (select from signet.refresh_tokens o
                      where o.site_id = t.site_id and o.token_hash = t.token_hash
                        and o.use_time is null)`,
      },
    ],
    noticedBy: { test: "e2e/refresh-races.test.ts", named: "presented 20 times at once" },
    says: /expected \[ .* \] to deeply equal \[ 1, 1, 1,/,
  },
  {
    name: "a used refresh token does not give its successor again",
    edits: [
      {
        file: "src/domain/refresh-tokens.ts",
        text: "const GRACE_MS = 10_000;",
        replacement: "const GRACE_MS = -1;",
      },
    ],
    noticedBy: { test: "e2e/refresh-races.test.ts", named: "whose answers are lost" },
    says: /\[unauthenticated\] refresh token invalid/,
  },
  {
    name: "a refresh token that is replayed leaves its Session alive",
    edits: [
      {
        file: "src/domain/refresh-tokens.ts",
        text: "await endSessionNow(tx, siteId, next.sessionId, now);",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/refresh-races.test.ts", named: "replayed when they are old" },
    says: /expected \[ 'good', .* to deeply equal \[ 'refused', 'good',/,
  },
  {
    name: "guesses that wait for each other do not see the lock of the one before",
    edits: [
      {
        file: "src/store/guess-counts.ts",
        text: "where g.lock_expire_time is null or",
        replacement: "where true or",
      },
    ],
    noticedBy: { test: "e2e/guessing-race.test.ts" },
    says: /expected \d+ to be 20/,
  },
  {
    name: "the token that verifies an address is not used up",
    edits: [
      {
        file: "src/domain/email-verification.ts",
        text: "await useToken(tx, siteId, presented, now);",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/two-processes.test.ts", named: "verify the address once" },
    says: /expected \[ .+ \] to have a length of 1 but got/,
  },
  {
    name: "the token that resets a password is not used up",
    edits: [
      {
        file: "src/domain/password-reset.ts",
        text: "await useToken(tx, siteId, presented, now);",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/auth-races.test.ts", named: "resets the password" },
    says: /\+ {3}"done",/,
  },
  {
    name: "the code of an authenticator is not noted",
    edits: [
      {
        file: "src/domain/second-factor.ts",
        text: "step !== undefined && (await acceptTotpStep(tx, siteId, userId, step));",
        replacement: "step !== undefined;",
      },
    ],
    noticedBy: { test: "e2e/auth-races.test.ts", named: "one code of an authenticator" },
    says: /\+ {3}"done",/,
  },
  {
    name: "a recovery code is good again",
    edits: [
      {
        file: "src/store/second-factors.ts",
        text: "and use_time is null`);\n  return rowCount",
        replacement: "`);\n  return rowCount",
      },
    ],
    noticedBy: { test: "e2e/auth-races.test.ts", named: "one recovery code" },
    says: /\+ {3}"done",/,
  },
  {
    name: "a login that waits for its code goes on waiting when it has one",
    edits: [
      {
        file: "src/domain/mfa-login.ts",
        text: "await useChallenge(tx, siteId, challenge, now);",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/auth-races.test.ts", named: "one challenge" },
    says: /expected \[ .+ \] to have a length of 1 but got/,
  },
  {
    name: "an authenticator that is confirmed may be confirmed again",
    edits: [
      {
        file: "src/domain/totp-enrollment.ts",
        text: 'if (locked.user.mfaEnabled) throw new Failure("mfa_already_enrolled");',
        replacement: "",
      },
      {
        file: "src/domain/totp-enrollment.ts",
        text: "factor.confirmed || ",
        replacement: "",
      },
      {
        file: "src/domain/second-factor.ts",
        text: "step !== undefined && (await acceptTotpStep(tx, siteId, userId, step));",
        replacement: "step !== undefined;",
      },
    ],
    noticedBy: { test: "e2e/auth-races.test.ts", named: "enrol one authenticator" },
    says: /expected \[ .+ \] to have a length of 1 but got/,
  },
  {
    name: "a refresh locks its token before its Session",
    edits: [
      {
        file: "src/store/refresh-tokens.ts",
        text: "         for no key update),",
        replacement: "),",
      },
    ],
    noticedBy: { test: "integration/refresh-token.test.ts", named: "waits for its Session" },
    says: /could not obtain lock on row in relation "refresh_tokens"/,
  },
  {
    name: "a refresh that has waited for the end of its Session goes through",
    edits: [
      {
        file: "src/store/refresh-tokens.ts",
        text: "         for no key update),",
        replacement: "),",
      },
      {
        file: "src/store/sessions.ts",
        text: "end_time is null and idle_expire_time",
        replacement: `(select o.end_time is null from signet.sessions o where o.id = sessions.id)
       and idle_expire_time`,
      },
    ],
    noticedBy: { test: "e2e/ending-races.test.ts", named: "RevokeAllSessions has returned" },
    says: /not within 60000 ms: async \(\) => \{\s+const answers/,
  },
  {
    name: "no process is told of a User's next generation",
    edits: [
      {
        file: "src/domain/sessions.ts",
        text: `generation, expireTime } as const;
  await insertRevocation(tx, siteId, notice, now);`,
        replacement: "generation, expireTime } as const;",
      },
    ],
    noticedBy: { test: "e2e/ending-races.test.ts", named: "DisableUser has returned" },
    says: /not within 60000 ms: async \(\) => \{\s+const answers/,
  },
  {
    name: "a login goes on whatever has happened since its password was checked",
    edits: [
      {
        file: "src/store/credentials.ts",
        text: `and generation = \${generation}
               for update) before`,
        replacement: "for update) before",
      },
    ],
    noticedBy: { test: "e2e/login-races.test.ts", named: "ResetPassword has returned" },
    says: /the call was not refused/,
  },
  {
    name: "whoever registers an address second at the same instant is told that it is taken",
    edits: [
      {
        file: "src/domain/registration.ts",
        text: "await attempt(compared).catch(toUndefinedIfTaken);",
        replacement: "await attempt(compared);",
      },
    ],
    noticedBy: { test: "e2e/two-processes.test.ts", named: "one new address and no password" },
    says: /\[already_exists\]/,
  },
  {
    name: "two who take an admin from a Site do not wait for each other",
    edits: [
      {
        file: "src/domain/admins.ts",
        text: "await lockAdmins(tx, before.siteId);",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/last-admin.test.ts", named: "UpdateUser at once" },
    says: /expected \[ 'done', 'done' \] to deeply equal \[ 'LAST_ADMIN', 'done' \]/,
  },
];
