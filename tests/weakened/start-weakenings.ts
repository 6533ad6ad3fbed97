import type { Weakening } from "./weakening.ts";

/** Builds that serve with a secret or on a database that they have to refuse. */
export const startWeakenings: readonly Weakening[] = [
  {
    name: "a password that everybody knows starts a Signet",
    edits: [
      {
        file: "src/config.ts",
        text: "[insecure, keyless, knownPasswords].flatMap",
        replacement: "[insecure, keyless].flatMap",
      },
    ],
    noticedBy: { test: "e2e/refusals.test.ts", named: "naming the setting" },
    says: /not within .* service.exitCode/,
  },
  {
    name: "a master key that is no chance serves",
    edits: [
      {
        file: "src/config-variables.ts",
        text: "if (weakness) return `version",
        replacement: 'if (weakness === "") return `version',
      },
    ],
    noticedBy: { test: "unit/refusals.test.ts", named: "a counted master key" },
    says: /expected \[Function parse\] to throw/,
  },
  {
    name: "a superuser may serve",
    edits: [
      {
        file: "src/store/startup-check.ts",
        text: "(rolsuper, 'is a superuser'),",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/refusals.test.ts", named: "a superuser" },
    says: /- role postgres is a superuser/,
  },
  {
    name: "row-level security may be off at the start",
    edits: [
      {
        file: "src/store/startup-check.ts",
        text: "       (not c.relrowsecurity, 'has row-level security switched off'),\n",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/refusals.test.ts", named: "off on a table" },
    says: /not within .* service.exitCode/,
  },
  {
    name: "a schema that is too old serves",
    edits: [
      {
        file: "src/store/startup-check.ts",
        text: ".filter((name) => !applied.has(name))",
        replacement: ".filter(() => applied.size === 0)",
      },
    ],
    noticedBy: { test: "integration/startup-check.test.ts", named: "older or newer" },
    says: /expected a rejection/,
  },
  {
    name: "a schema of a newer Signet serves",
    edits: [
      {
        file: "src/store/startup-check.ts",
        text: ".filter((name) => !known.includes(name))",
        replacement: ".filter(() => known.length === 0)",
      },
    ],
    noticedBy: { test: "integration/startup-check.test.ts", named: "older or newer" },
    says: /expected a rejection/,
  },
  {
    name: "a clock that is fast is not looked for",
    edits: [
      {
        file: "src/store/startup-check.ts",
        text: "const offMs = Math.max(behindMs, aheadMs);",
        replacement: "const offMs = behindMs;",
      },
    ],
    noticedBy: { test: "integration/startup-check.test.ts", named: "refuses a clock" },
    says: /promise resolved "undefined" instead of rejecting/,
  },
];
