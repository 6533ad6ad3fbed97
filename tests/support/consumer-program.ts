import { Pool } from "pg";
import {
  createSignetClient,
  createUserMirror,
  type MirrorConnection,
  type MirrorPool,
} from "../../src/client/index.ts";
import { openPostgresPlace } from "./restless-mirror.ts";

/** A program: an app with a mirror, that kills itself around the n-th COMMIT of the mirror. */

/** What the program reads from its one argument, as JSON. */
export interface ConsumerArguments {
  readonly url: string;
  readonly key: string;
  readonly databaseUrl: string;
  readonly table: string;
  /** Before the COMMIT is sent, once it was sent, or once it was confirmed. */
  readonly moment: "before" | "sent" | "confirmed";
  /** 0: never. */
  readonly commit: number;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as ConsumerArguments;
const pool = new Pool({ connectionString: settings.databaseUrl, max: 4 });
pool.on("error", () => undefined); // An idle connection was lost; the next one is new.
const place = await openPostgresPlace(settings.table, dyingPool(pool));
const client = createSignetClient({ url: settings.url, key: settings.key });
createUserMirror({ client, storage: place.storage, onCreate: place.onCreate });

/** As sudden as a loss of power: nothing that is not sent by then is sent. */
function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function dyingPool(inner: Pool): MirrorPool {
  let left = settings.commit;

  async function commit(connection: MirrorConnection) {
    left -= 1;
    if (left !== 0) return await connection.query("commit");
    if (settings.moment === "before") die();
    const committed = connection.query("commit");
    if (settings.moment === "sent") die();
    const result = await committed;
    die();
    return result;
  }

  return {
    async connect() {
      const connection = await inner.connect();
      const query = connection.query.bind(connection);
      return {
        query: (text: string, values?: unknown[]) =>
          text === "commit" ? commit({ query }) : query(text, values),
        release: (error?: Error) => connection.release(error),
        on: (event, listener) => connection.on(event, listener),
        off: (event, listener) => connection.off(event, listener),
      };
    },
  };
}
