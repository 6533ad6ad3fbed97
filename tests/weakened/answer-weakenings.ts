import type { Weakening } from "./weakening.ts";

/** What Signet says that is not so, and what it tells by the way it answers. */
export const answerWeakenings: readonly Weakening[] = [
  {
    name: "of several things that a Change says the first alone is told",
    edits: [
      {
        file: "src/domain/write.ts",
        text: "const [kind, ...furtherKinds] = kinds;",
        replacement: "const [kind] = kinds;\n  const furtherKinds: UserChangeKind[] = [];",
      },
    ],
    noticedBy: { test: "e2e/model.test.ts" },
    says: /to deeply equal \[ \{ position: 1,/,
  },
  {
    name: "a disabled User may sign in",
    edits: [
      {
        file: "src/domain/login-check.ts",
        text: 'if (!right || !user || !credentials || user.state !== "active") {',
        replacement: "if (!right || !user || !credentials) {",
      },
    ],
    noticedBy: { test: "e2e/model.test.ts" },
    says: /expected \[ 'LOGIN_FAILED' \] to include '(?:accepted|EMAIL_UNVERIFIED)'/,
  },
  {
    name: "no password is checked for a name that nobody has",
    edits: [
      {
        file: "src/crypto/password-hash.ts",
        text: "    async verify(caller, password, stored) {\n",
        replacement: `    async verify(caller, password, stored) {
      if (!stored) return false;
`,
      },
    ],
    noticedBy: { test: "faults/timing.test.ts", named: "the account that is signed in to" },
    says: /expected [\d.]+ to be less than or equal to 0\.55/,
  },
];
