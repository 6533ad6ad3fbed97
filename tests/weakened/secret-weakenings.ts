import type { Weakening } from "./weakening.ts";

/** Builds that tell a secret somewhere, or whose audit log can be altered unseen. */
export const secretWeakenings: readonly Weakening[] = [
  {
    name: "what is asked for is printed",
    edits: [
      {
        file: "src/rpc/log-calls.ts",
        text: "const { write } = lines.begin({",
        replacement: "console.debug(request.message);\n    const { write } = lines.begin({",
      },
    ],
    noticedBy: { test: "e2e/secrets.test.ts", named: "in the log" },
    says: /\+ +"the password of /,
  },
  {
    name: "headers of calls are logged",
    edits: [
      {
        file: "src/server/rpc-handler.ts",
        text: "const page = pageOf(request);",
        replacement:
          'const page = pageOf(request); log.trace({ headers: request.headers }, "call");',
      },
    ],
    noticedBy: { test: "e2e/secrets.test.ts", named: "in the log" },
    says: /\+ +"a site key"/,
  },
  {
    name: "a one-time token is stored as it is",
    edits: [
      {
        file: "src/domain/one-time.ts",
        text: "{ ...grant, tokenHash",
        replacement: "{ ...grant, redirectUrl: minted.text.reveal(), tokenHash",
      },
    ],
    noticedBy: { test: "e2e/secrets.test.ts", named: "in the database" },
    says: /\+ +"a reset's token"/,
  },
  {
    name: "a refresh token stands in the audit log",
    edits: [
      {
        file: "src/domain/refresh-tokens.ts",
        text: "const details = { session_id: next.sessionId };",
        replacement: "const details = { session_id: next.sessionId, token: text };",
      },
    ],
    noticedBy: { test: "e2e/secrets.test.ts", named: "in the audit log" },
    says: /\+ +"the refresh token of login"/,
  },
  {
    name: "a refused password is repeated in the error",
    edits: [
      {
        file: "src/model/password.ts",
        text: "throw tooLong(problem);\n  return password;",
        replacement: "throw tooLong(password);\n  return password;",
      },
    ],
    noticedBy: { test: "e2e/secrets.test.ts", named: "in errors" },
    says: /\+ +"a password that is too long"/,
  },
  {
    name: "a webhook is sent its secret",
    edits: [
      {
        file: "src/domain/webhook-attempts.ts",
        text: '"webhook-id": id,',
        replacement: '"webhook-id": id, authorization: texts.map((one) => one.reveal()).join(),',
      },
    ],
    noticedBy: { test: "e2e/secrets.test.ts", named: "in webhooks" },
    says: /\+ +"a webhook's secret"/,
  },
  {
    name: "the chain of the audit log leaves out the address of the client",
    edits: [
      {
        file: "src/store/migrations/0020_audit_chain.sql",
        text: "if client_ip <> '' then",
        replacement: "if client_ip = '' then",
      },
    ],
    noticedBy: { test: "e2e/cli-audit.test.ts", named: "a chain whole" },
    says: /expected 5 to be \+?0/,
  },
  {
    name: "the hash of an audit event leaves out its subject",
    edits: [
      {
        file: "src/store/migrations/0023_sites_and_keys.sql",
        text: "signet.protobuf_field(2, convert_to(e.subject_id::text, 'UTF8'))",
        replacement: "''::bytea",
      },
    ],
    noticedBy: { test: "e2e/cli-audit.test.ts", named: "a chain whole" },
    says: /expected 5 to be \+?0/,
  },
  {
    name: "the hash of an audit event leaves out the hash before",
    edits: [
      {
        file: "src/store/migrations/0020_audit_chain.sql",
        text: "sha256(coalesce(hash, head) || record)",
        replacement: "sha256(record)",
      },
    ],
    noticedBy: { test: "integration/audit-chain.test.ts", named: "in small steps" },
    says: /expected \d+ to be undefined/,
  },
];
