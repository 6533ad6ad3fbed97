import { createGrpcTransport } from "@connectrpc/connect-node";
import * as bcrypt from "bcrypt";
import type { QueryResultRow } from "pg";
import { hasNginx } from "../../bench/nginx.ts";
import { type AppDatabase, openAppDatabase } from "./app-database.ts";
import { openSite, type TestSite } from "./builders.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";
import { type EdgeProxy, startCaddy, startNginx } from "./edge-proxy.ts";
import { type Guide, openGuide } from "./guide.ts";
import { blocksOf } from "./guide-blocks.ts";
import { callWithHeaders, type HeaderAnswer, type HeaderList } from "./header-call.ts";
import { startHeaderMirror } from "./header-mirror.ts";
import type { HttpTarget } from "./http-target.ts";
import { createServiceKeys, type ServiceKeys, startService, type TestService } from "./service.ts";
import { pathWithSignet } from "./signet-command.ts";

/** The dashboard's own table. */
export const TABLE = "dashboard.admin_users";

/** What the table had before anything was linked. */
export const OWN_COLUMNS = "id, email, username, password_hash, full_name, is_active";

/** Whom it has had for long, with the passwords that they know. */
export const PEOPLE = [
  { username: "admin", email: "ada@example.com", password: "four quiet otters swim" },
  { username: "grace", email: "grace@example.com", password: "seven brisk herons wade" },
  { username: "edsger", email: "edsger@example.com", password: "nine calm badgers dig" },
] as const;

/** A dashboard with users of its own, behind a proxy that asks Signet. */
export interface DashboardStory extends AsyncDisposable {
  readonly site: TestSite;
  readonly signet: TestService;
  readonly keys: ServiceKeys;
  readonly signetDatabase: TestDatabase;
  readonly database: AppDatabase;
  /** The dashboard: it answers with what it was sent. */
  readonly dashboard: HttpTarget;
  readonly proxy: EdgeProxy;
  readonly guide: Guide;
  readonly environment: Readonly<Record<string, string>>;
  /** What stood in its table at first. */
  readonly before: string;
  /** Asks the dashboard's database. */
  rows(statement: string): Promise<QueryResultRow[]>;
  /** What stands in these columns of the table. */
  contents(columns: string): Promise<string>;
  /** The columns that the table has. */
  columns(): Promise<string[]>;
  /** Asks the dashboard for a page, by way of the proxy. */
  askThrough(path: string, headers?: HeaderList): Promise<HeaderAnswer>;
}

/** Starts all of it, with nobody at Signet. Dispose of it at the end. */
export async function openDashboardStory(): Promise<DashboardStory> {
  await using opened = new AsyncDisposableStack();
  const use = async <T extends AsyncDisposable>(opening: Promise<T>) => opened.use(await opening);
  const [signetDatabase, database] = [await use(openTestDatabase()), await use(openAppDatabase())];
  const keys = createServiceKeys();
  const signet = await use(startService({ databaseUrl: signetDatabase.appUrl, keys }));
  const dashboard = await use(startHeaderMirror());
  const startProxy = hasNginx() ? startNginx : startCaddy;
  const proxy = await use(startProxy({ signetUrl: signet.url, appUrl: dashboard.url }));
  const site = await openSite(createGrpcTransport({ baseUrl: signet.url }), keys.operatorKey);
  await makeTable(database);
  const environment = {
    PATH: await pathWithSignet(),
    SIGNET_URL: signet.url,
    SIGNET_KEY: site.key,
    APP_DATABASE_URL: database.url,
    DATABASE_URL: database.url,
    PROXY_URL: proxy.url,
  };
  const guide = openGuide("behind-traefik", environment);
  const parts = { site, signet, keys, signetDatabase, database, dashboard, proxy };
  const rows = async (statement: string) => (await database.pool.query(statement)).rows;
  const contents = async (columns: string) =>
    JSON.stringify(await rows(`select ${columns} from ${TABLE} order by id`));
  const before = await contents(OWN_COLUMNS);
  const all = opened.move();
  return {
    ...parts,
    guide,
    environment,
    before,
    rows,
    contents,
    columns: async () => Object.keys((await rows(`select * from ${TABLE} limit 1`))[0] ?? {}),
    askThrough: (path, headers = []) => callWithHeaders(`${proxy.url}${path}`, headers),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function makeTable({ pool }: AppDatabase): Promise<void> {
  await pool.query("create schema dashboard");
  await pool.query(blocksOf("link", "sql")[0] ?? "");
  for (const [n, { username, email, password }] of PEOPLE.entries()) {
    const hash = await bcrypt.hash(password, 4);
    // The last one is no longer with them.
    const values = [email, username, hash, n < PEOPLE.length - 1];
    const insert = `insert into ${TABLE} (email, username, password_hash, is_active)`;
    await pool.query(`${insert} values ($1, $2, $3, $4)`, values);
  }
}
