import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { DataFolderBusyError } from "../../src/store/embedded-postgres/data-folder-lock.ts";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { runAsAdmin } from "../support/database.ts";
import {
  isGone,
  openTestFolders,
  readNotes,
  startHere,
  writeNote,
} from "../support/embedded-folders.ts";
import { startEmbeddedProcess } from "../support/embedded-process.ts";
import { silentLog } from "../support/postgres.ts";
import { rejection, until } from "../support/waiting.ts";

const folders = await openTestFolders();
afterAll(() => folders[Symbol.asyncDispose]());
const { newFolder } = folders;

describe("the data folder", () => {
  test("is refused, by name of the holder, while a live Signet has it", async () => {
    const dataDir = join(await newFolder(), "data");
    await using holder = await startEmbeddedProcess({ dataDir, durable: false });

    const error = await rejection(startHere(dataDir));

    expect(error).toBeInstanceOf(DataFolderBusyError);
    expect(error).toMatchObject({ message: expect.stringMatching(/is running \(process \d+\)/) });
    await runAsAdmin(holder.started.adminUrl, "select 1");
  });

  test("goes to exactly one of several Signets that start together", async () => {
    const dataDir = join(await newFolder(), "data");
    const killed = await startEmbeddedProcess({ dataDir, durable: false });
    await killed.kill();

    const attempts = Array.from({ length: 5 }, () => startHere(dataDir));
    const outcomes = await Promise.allSettled(attempts);

    const started = outcomes.filter((outcome) => outcome.status === "fulfilled");
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(started).toHaveLength(1);
    expect(refused.every(({ reason }) => reason instanceof DataFolderBusyError)).toBe(true);
    await started[0]?.value.stop();
  });

  test("passes to the next Signet after kill -9, which stops what was left", async () => {
    const dataDir = join(await newFolder(), "data");
    const killed = await startEmbeddedProcess({ dataDir, durable: false });
    await writeNote(killed.started.adminUrl, "committed");
    await killed.kill();
    expect(await isGone(killed.started.postgresPid)).toBe(false);

    await using next = await startHere(dataDir);

    expect(await isGone(killed.started.postgresPid)).toBe(true);
    expect(await readNotes(next.adminUrl)).toEqual(["committed"]);
  });

  test("recovers when PostgreSQL was killed as well, in the middle of a statement", async () => {
    const dataDir = join(await newFolder(), "data");
    const killed = await startEmbeddedProcess({ dataDir, durable: false });
    await writeNote(killed.started.adminUrl, "committed");
    const cutOff = rejection(runAsAdmin(killed.started.adminUrl, "select pg_sleep(1.5)"));
    await until(async () => {
      const rows = await runAsAdmin(
        killed.started.adminUrl,
        "select from pg_stat_activity where state = 'active' and query like '%sleep(1.5)'",
      );
      return rows.length === 1;
    });
    await killed.kill();
    process.kill(killed.started.postgresPid, "SIGKILL");

    await using next = await startHere(dataDir);

    expect(await readNotes(next.adminUrl)).toEqual(["committed"]);
    await cutOff;
  });

  test("recovers when another program has the number of the killed PostgreSQL", async () => {
    const dataDir = join(await newFolder(), "data");
    const killed = await startEmbeddedProcess({ dataDir, durable: false });
    await writeNote(killed.started.adminUrl, "committed");
    await killed.kill();
    process.kill(killed.started.postgresPid, "SIGKILL");
    await until(() => isGone(killed.started.postgresPid));
    const other = spawn("sleep", ["60"]);
    const file = join(killed.started.home, "postgres", "postmaster.pid");
    const [, ...rest] = (await readFile(file, "utf8")).split("\n");
    await writeFile(file, [other.pid, ...rest].join("\n"));

    await using next = await startHere(dataDir);

    expect(await readNotes(next.adminUrl)).toEqual(["committed"]);
    expect(other.exitCode).toBeNull();
    other.kill();
  });

  test("of another major version is refused, and left as it is", async () => {
    const dataDir = join(await newFolder(), "data");
    const first = await startHere(dataDir);
    await first.stop();

    const error = await rejection(
      startEmbeddedPostgres({ dataDir, log: silentLog, version: 17, durable: false }),
    );

    expect(error).toMatchObject({ message: expect.stringContaining("was made by PostgreSQL 18") });
    await using _again = await startHere(dataDir);
  });
});
