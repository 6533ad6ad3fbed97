import { pino } from "pino";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";

/** A program: runs an embedded PostgreSQL until its parent says `stop`. */

/** What the program reads from its one argument, as JSON. */
export interface EmbeddedProgramArguments {
  readonly dataDir: string;
  readonly port?: number;
  readonly durable?: boolean;
}

/** What it tells its parent when PostgreSQL is there. */
export interface EmbeddedProgramStarted {
  readonly adminUrl: string;
  readonly port: number;
  readonly home: string;
  readonly postgresPid: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as EmbeddedProgramArguments;
const postgres = await startEmbeddedPostgres({ ...options, log: pino({ level: "silent" }) });
process.once("message", () => {
  void postgres.stop().then(() => process.disconnect?.());
});
const { adminUrl, port, home } = postgres;
const started: EmbeddedProgramStarted = { adminUrl, port, home, postgresPid: postgres.pid() };
process.send?.(started);
