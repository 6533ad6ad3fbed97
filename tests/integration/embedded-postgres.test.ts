import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { runAsAdmin } from "../support/database.ts";
import {
  isGone,
  openTestFolders,
  readNotes,
  startHere,
  writeNote,
} from "../support/embedded-folders.ts";
import { silentLog } from "../support/postgres.ts";
import { rejection, until } from "../support/waiting.ts";

const folders = await openTestFolders();
afterAll(() => folders[Symbol.asyncDispose]());
const { newFolder } = folders;

describe("the embedded PostgreSQL", () => {
  test("keeps data, port and password from one start to the next", async () => {
    const dataDir = join(await newFolder(), "data");
    const first = await startHere(dataDir);
    await writeNote(first.adminUrl, "kept");
    await first.stop();

    await using second = await startHere(dataDir);

    expect(await readNotes(second.adminUrl)).toEqual(["kept"]);
    expect(second.adminUrl).toBe(first.adminUrl);
    expect(await isGone(first.pid())).toBe(true);
  });

  test("listens on the loopback address alone, and asks everybody for a password", async () => {
    await using postgres = await startHere(join(await newFolder(), "data"));
    const withoutPassword = postgres.adminUrl.replace(/:[^:@]+@/, ":wrong@");

    const [settings] = await runAsAdmin(
      postgres.adminUrl,
      `select current_setting('listen_addresses') as addresses,
              current_setting('unix_socket_directories') as sockets,
              current_setting('server_encoding') as encoding`,
    );

    expect(settings).toEqual({ addresses: "127.0.0.1", sockets: "", encoding: "UTF8" });
    expect(await rejection(runAsAdmin(withoutPassword, "select 1"))).toMatchObject({
      code: "28P01",
    });
  });

  test("forces every commit to disk unless it is thrown away", async () => {
    await using postgres = await startEmbeddedPostgres({
      dataDir: join(await newFolder(), "data"),
      log: silentLog,
    });

    const settings = await runAsAdmin(
      postgres.adminUrl,
      `select name, setting from pg_settings
        where name in ('fsync', 'synchronous_commit', 'full_page_writes')`,
    );

    expect(settings.map((row) => (row as { setting: string }).setting)).toEqual(["on", "on", "on"]);
  });

  test("writes no value and no statement of a failing call to its log", async () => {
    await using postgres = await startHere(join(await newFolder(), "data"));
    const insert = "insert into secrets values ('alice@example.com')";
    await runAsAdmin(postgres.adminUrl, `create table secrets (v text unique); ${insert}`);

    await rejection(runAsAdmin(postgres.adminUrl, insert));

    const log = await readFile(join(postgres.home, "postgres.log"), "utf8");
    expect(log).toContain("ready to accept connections");
    expect(log).not.toContain("alice");
  });

  test("is started again by the Signet that it dies under", async () => {
    await using postgres = await startHere(join(await newFolder(), "data"));
    await writeNote(postgres.adminUrl, "committed");
    const died = postgres.pid();

    process.kill(died, "SIGKILL");
    await until(() => postgres.pid() !== died);

    expect(await until(() => readNotes(postgres.adminUrl))).toEqual(["committed"]);
  });
});

describe("the port", () => {
  test("is refused with a clear message where it is configured and taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await until(() => other.listening);
    const port = (other.address() as { readonly port: number }).port;
    const dataDir = join(await newFolder(), "data");

    const error = await rejection(startHere(dataDir, { port }));

    expect(error).toMatchObject({ message: expect.stringContaining(`port ${port}`) });
    other.close();
    await using postgres = await startHere(dataDir, { port });
    expect(postgres.port).toBe(port);
  });

  test("of last time gives way to another where a program has taken it since", async () => {
    const dataDir = join(await newFolder(), "data");
    const first = await startHere(dataDir);
    await first.stop();
    const other = createServer().listen(first.port, "127.0.0.1");
    await until(() => other.listening);

    await using second = await startHere(dataDir);

    expect(second.port).not.toBe(first.port);
    other.close();
  });
});

describe("a PostgreSQL that cannot start", () => {
  test("is reported with what it says, and leaves no process and no lock", async () => {
    const dataDir = join(await newFolder(), "data");
    const first = await startHere(dataDir);
    await first.stop();
    const settings = join(first.home, "postgres", "postgresql.conf");
    const original = await readFile(settings, "utf8");
    await writeFile(settings, `${original}\nno_such_setting = on\n`);

    const error = await rejection(startHere(dataDir));

    expect(error).toMatchObject({ message: expect.stringContaining("no_such_setting") });
    await writeFile(settings, original);
    await using _again = await startHere(dataDir);
  });
});
