import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

/** What the last stage of the Dockerfile is made of. */
export interface ImageRecipe {
  readonly workdir: string;
  /** Set for every command of the image. */
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  /** Files and folders of the repository, which have the same paths in the image. */
  readonly copied: readonly string[];
  /** Folders that come from another stage, and the name of the stage. */
  readonly built: Readonly<Record<string, string>>;
  readonly port: number;
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  /** The instructions of all stages, each in one line. */
  readonly instructions: readonly string[];
}

/** A service of docker-compose.yml, as far as tests look at it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly logging?: {
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
  };
  readonly networks?:
    | readonly string[]
    | Readonly<Record<string, { readonly ipv4_address: string }>>;
  readonly stop_grace_period?: string;
}

/** A manifest of examples/kubernetes. */
export interface Manifest {
  readonly file: string;
  readonly kind: string;
  readonly name: string;
  /** The whole document. */
  readonly content: Readonly<Record<string, unknown>>;
}

/** Where the manifests are. */
const MANIFESTS = "examples/kubernetes";

/** Reads the Dockerfile: its last stage is what runs. */
export function readImageRecipe(): ImageRecipe {
  const text = readFileSync("Dockerfile", "utf8").replaceAll(/^\s*#.*\n/gm, "");
  const instructions = text
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter(Boolean);
  const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")));
  const all = (word: string): string[] =>
    last.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const one = (word: string): string => all(word)[0] ?? "";
  const workdir = one("WORKDIR");
  const copies = all("COPY").map((line) => line.split(" "));
  const own = copies.filter(([first]) => !first?.startsWith("--"));
  const staged = copies.filter(([first]) => first?.startsWith("--from="));
  return {
    workdir,
    instructions,
    env: Object.fromEntries(all("ENV").flatMap((line) => line.split(" ").map(toPair))),
    user: one("USER"),
    copied: own.flatMap((words) => words.slice(0, -1)),
    built: Object.fromEntries(
      staged.map(([from = "", , to = ""]) => [to, from.slice("--from=".length)]),
    ),
    port: Number(one("EXPOSE")),
    command: JSON.parse(one("CMD")),
    healthCheck: JSON.parse(one("HEALTHCHECK").replace(/^.*? CMD /, "")),
  };
}

/** Reads the services of docker-compose.yml. */
export function readComposeServices(): Readonly<Record<string, ComposeService>> {
  return parse(readFileSync("docker-compose.yml", "utf8"), { merge: true }).services;
}

/**
 * Puts values in place of `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as docker compose
 * does; where there is neither a value nor a default, it fails as that does.
 */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
    (_, name: string, operator: string | undefined, rest = "") => {
      const value = values[name];
      if (value) return value;
      if (operator === "?") throw new Error(`${name} ${rest}`);
      return operator === "-" ? rest : "";
    },
  );
}

/** Reads every manifest of examples/kubernetes. */
export function readManifests(): Manifest[] {
  const files = readdirSync(MANIFESTS).filter((name) => name.endsWith(".yaml"));
  return files.flatMap((file) =>
    parseAllDocuments(readFileSync(join(MANIFESTS, file), "utf8")).map((document) => {
      if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join()}`);
      const content = document.toJS();
      return { file, kind: content.kind, name: content.metadata?.name ?? "", content };
    }),
  );
}

function toPair(text: string): [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
