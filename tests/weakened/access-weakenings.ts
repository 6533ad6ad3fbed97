import type { Weakening } from "./weakening.ts";

/** Builds that let somebody do, see or become what is not theirs. */
export const accessWeakenings: readonly Weakening[] = [
  {
    name: "the Site that a request names is not compared with the caller's",
    edits: [
      {
        file: "src/domain/access.ts",
        text: 'throw new Failure("site_not_found");',
        replacement: 'return parseId<SiteId>(requestedSiteId, "site_id");',
      },
    ],
    noticedBy: { test: "e2e/isolation.test.ts", named: "GetSite site_id, is as if there" },
    says: /"told": "200/,
  },
  {
    name: "the policy of one table admits every Site",
    edits: [
      {
        file: "src/store/migrations/0002_users.sql",
        text: "signet.sessions to signet_app\n  using (site_id =",
        replacement: "signet.sessions to signet_app\n  using (true or site_id =",
      },
    ],
    noticedBy: { test: "integration/row-level-security.test.ts", named: "on behalf of one Site" },
    says: /reads no row of another[^\0]+\+ +"site":/,
  },
  {
    name: "a Site is named for the connection, not for the transaction",
    edits: [
      {
        file: "src/store/transaction.ts",
        text: "siteId}, true)",
        replacement: "siteId}, false)",
      },
    ],
    noticedBy: { test: "integration/pgbouncer.test.ts", named: "carries a Site over" },
    says: /expected \[ \[ .+ to deeply equal \[\]/,
  },
  {
    name: "every User of a Site counts as one of its admins",
    edits: [
      {
        file: "src/rpc/access-rules.ts",
        text: '(rule.admin && caller.roles.includes("admin"))',
        replacement: "rule.admin",
      },
    ],
    noticedBy: { test: "integration/access-rules.test.ts", named: "UserService.ListUsers whom" },
    says: /\+ +"user": "admitted"/,
  },
  {
    name: "the scopes of a key are not asked for",
    edits: [
      {
        file: "src/rpc/access-rules.ts",
        text: "caller.scopes.some((scope) => rule.scopes.includes(NUMBER[scope]))",
        replacement: "rule.scopes.length > 0",
      },
    ],
    noticedBy: { test: "integration/access-rules.test.ts", named: "UserService.ListUsers whom" },
    says: /\+ +"key with scope 1": "admitted"/,
  },
  {
    name: "a verifier takes a token that has expired",
    edits: [
      {
        file: "src/client/token-verifier.ts",
        text: "const CLOCK_TOLERANCE_SECONDS = 30;",
        replacement: "const CLOCK_TOLERANCE_SECONDS = 30_000;",
      },
    ],
    noticedBy: { test: "unit/client/token-verifier.test.ts" },
    says: /that has expired is refused as expired\n/,
  },
  {
    name: "a verifier takes a token for another app",
    edits: [
      {
        file: "src/client/token-verifier.ts",
        text: "const rules = { issuer, audience, ...TOKEN_RULES };",
        replacement: "const rules = { issuer, ...TOKEN_RULES };",
      },
    ],
    noticedBy: { test: "unit/client/token-verifier.test.ts" },
    says: /for others is refused as audience\n/,
  },
  {
    name: "a Session's end does not reach local verifiers",
    edits: [
      {
        file: "src/client/revocation-set.ts",
        text: "ended.set(subject.value.sessionId, term);",
        replacement: "",
      },
    ],
    noticedBy: { test: "e2e/token-verifier.test.ts", named: "its logout" },
    says: /not within 1000 ms: .+ refusalBy/,
  },
  {
    name: "a raised generation does not reach local verifiers",
    edits: [
      {
        file: "src/client/revocation-set.ts",
        text: "return raised !== undefined && generation < raised.generation;",
        replacement: "return false;",
      },
    ],
    noticedBy: { test: "e2e/token-verifier.test.ts", named: "that is deleted" },
    says: /not within 1000 ms: .+ refusalBy/,
  },
  {
    name: "the revocations of a Site are told to all",
    edits: [
      {
        file: "src/domain/revocation-log.ts",
        text: "if (entry?.siteId === siteId) found.push(entry);",
        replacement: "if (entry) found.push(entry);",
      },
    ],
    noticedBy: { test: "e2e/revocations.test.ts", named: "nothing of another Site" },
    says: /expected \[ .+ to deeply equal \[ Array\(1\) \]/,
  },
  {
    name: "an identity leaves out headers that it has no value for",
    edits: [
      {
        file: "src/rpc/proxy-answer.ts",
        text: "[email]: headerValue(identity.email),",
        replacement: "...(identity.email && { [email]: headerValue(identity.email) }),",
      },
    ],
    noticedBy: { test: "e2e/forward-auth.test.ts", named: "sends every header" },
    says: /not within .+ ms: async/,
  },
  {
    name: "a proxy passes on a header of the client's",
    edits: [
      {
        file: "examples/nginx.conf",
        text: "proxy_set_header X-User-Role $user_role;\n    proxy_set_header X-Site",
        replacement: "proxy_set_header X-Site",
      },
    ],
    noticedBy: { test: "e2e/forward-auth-nginx.test.ts" },
    says: /\+ +"mallory"/,
  },
  {
    name: "forward-auth takes the first of two credentials",
    edits: [
      {
        file: "src/domain/forward-auth.ts",
        text: "const isRight = others.length === 0 && only",
        replacement: "const isRight = only",
      },
    ],
    noticedBy: { test: "e2e/forward-auth.test.ts", named: "read in two ways" },
    says: /\+ +"status": 200/,
  },
];
