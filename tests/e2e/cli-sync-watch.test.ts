import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSite, signUp, type TestSite, uniqueEmail } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type RunningProgram, runProgram, runSignet, startSignet } from "../support/programs.ts";
import {
  createServiceKeys,
  type ServiceOptions,
  startService,
  type TestService,
} from "../support/service.ts";
import { until } from "../support/waiting.ts";

/** What takes a moment takes longer on a busy machine. */
const WAIT_MS_MAX = 20_000;

interface Line {
  readonly type: string;
  readonly cursor?: string;
  readonly change?: { readonly kind: string; readonly user: { readonly id: string } };
  readonly user?: { readonly id: string; readonly email: string };
}

let database: TestDatabase;
let options: ServiceOptions;
let service: TestService;
let site: TestSite;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  database = await openTestDatabase();
  options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  service = await startService(options);
  site = await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
  environment = { SIGNET_URL: service.url, SIGNET_KEY: site.key };
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

function watch(...options: readonly string[]): RunningProgram {
  return startSignet(["sync", "watch", ...options], environment);
}

/** Each line by itself is JSON; one that is not fails the test. */
function linesOf(program: RunningProgram): Line[] {
  const whole = program.stdout().split("\n").slice(0, -1);
  return whole.map((line) => JSON.parse(line) as Line);
}

function changesOf(program: RunningProgram) {
  return linesOf(program).flatMap(({ change }) => (change ? [[change.kind, change.user.id]] : []));
}

describe("signet sync watch", () => {
  test("prints a line for each Change from now on, and says where to resume", async () => {
    const { users } = site.backend;
    const program = watch();
    await program.output.waitFor(/^live$/m, "it was live");

    const { user } = await users.createUser({ email: uniqueEmail() });
    const line = new RegExp(
      `^\\d\\d:\\d\\d:\\S+ +#\\d+ +created +${user?.id} +${user?.email}$`,
      "m",
    );
    await program.output.waitFor(line, "the Change");
    const exitCode = await program.stop("SIGINT");
    await program.output.waitFor(/^To resume: signet sync watch --cursor \S+$/m, "the cursor");

    expect(exitCode).toBe(0);
    expect(program.stdout().trimEnd().split("\n")).toHaveLength(1);
  });

  test("names the Site, too, where it was named, to resume with an operator key", async () => {
    const key = { ...environment, SIGNET_KEY: service.operatorKey };
    const program = startSignet(["sync", "watch", "--site", site.siteId], key);
    await program.output.waitFor(/^live$/m, "it was live");

    await program.stop("SIGINT");

    const line = new RegExp(`^To resume: signet sync watch --site ${site.siteId} --cursor `, "m");
    await program.output.waitFor(line, "the Site and the cursor");
  });

  test("prints JSON, one object in a line, from the start on", async () => {
    const { users } = site.backend;
    const { user: before } = await users.createUser({ email: uniqueEmail() });
    const program = watch("--json", "--from-start");
    await program.output.waitFor(/"snapshot_end"/, "the snapshot");

    const { user: after } = await users.createUser({ email: uniqueEmail() });
    await users.deleteUser({ userId: before?.id ?? "" });
    await until(() => changesOf(program).length >= 2, WAIT_MS_MAX);
    await program.stop("SIGINT");
    const lines = linesOf(program);
    const snapshot = lines.flatMap(({ type, user }) => (type === "user" ? [user] : []));

    expect(lines[0]).toMatchObject({ type: "hello", siteId: site.siteId, snapshot: true });
    expect(snapshot).toContainEqual(expect.objectContaining({ email: before?.email }));
    expect(changesOf(program).slice(-2)).toEqual([
      ["CHANGE_KIND_CREATED", after?.id],
      ["CHANGE_KIND_DELETED", before?.id],
    ]);
  });

  test("goes on where another run has ended, with what was missed", async () => {
    const { users } = site.backend;
    const first = watch();
    await first.output.waitFor(/^live$/m, "it was live");
    await first.stop("SIGINT");
    const [, cursor = ""] = await first.output.waitFor(/--cursor (\S+)/, "the cursor");
    const { user } = await users.createUser({ email: uniqueEmail() });

    const second = watch("--json", "--cursor", cursor);
    await until(() => changesOf(second).length > 0, WAIT_MS_MAX);
    await second.stop("SIGINT");

    expect(changesOf(second)).toEqual([["CHANGE_KIND_CREATED", user?.id]]);
  });

  test("shows only the kinds and Users that were asked for", async () => {
    const { users } = site.backend;
    const { user } = await users.createUser({ email: uniqueEmail() });
    const { id: userId = "", email = "" } = user ?? {};
    const program = watch("--json", "--kind", "deleted", "--user", email);
    await program.output.waitFor(/^(live|catching up)$/m, "it was connected");

    const { user: other } = await users.createUser({ email: uniqueEmail() });
    await users.updateUser({ userId, displayName: "Ada" });
    await users.deleteUser({ userId: other?.id ?? "" });
    await users.deleteUser({ userId });
    await until(() => changesOf(program).length > 0, WAIT_MS_MAX);
    await program.stop("SIGINT");

    expect(changesOf(program)).toEqual([["CHANGE_KIND_DELETED", userId]]);
  });

  test("goes on by itself when its Signet was killed and started again", async () => {
    const program = watch("--json");
    await program.output.waitFor(/^live$/m, "it was live");

    await service.stop("SIGKILL");
    await program.output.waitFor(/; again in \d/, "it has noticed");
    service = await startService({ ...options, port: service.port });
    const { user } = await site.backend.users.createUser({ email: uniqueEmail() });
    await until(() => changesOf(program).length > 0, WAIT_MS_MAX);
    const exitCode = await program.stop("SIGINT");

    expect(changesOf(program)).toEqual([["CHANGE_KIND_CREATED", user?.id]]);
    expect(exitCode).toBe(0);
  });

  test("ends quietly when its reader has read enough", async () => {
    await signUp(site.backend);
    const command = `"${process.execPath}" src/cli/main.ts sync watch --from-start --json`;
    const script = `set -o pipefail; ${command} | head -n 1`;
    const reading = runProgram("bash", ["-c", script], environment);
    const ended = { done: false };
    const { exitCode, stdout, stderr } = await Promise.race([
      reading.finally(() => (ended.done = true)),
      keepWriting(() => ended.done),
    ]);

    expect({ exitCode, lines: stdout.split("\n").length }).toEqual({ exitCode: 0, lines: 2 });
    expect(stderr).not.toMatch(/EPIPE|Error/);
  });

  test.each([
    ["two ways to begin", ["--from-start", "--cursor", "x"], 2, "give one of"],
    ["an unknown kind", ["--kind", "renamed"], 2, "must be one of"],
    ["a cursor that is none", ["--cursor", "x"], 1, "INVALID_CURSOR"],
  ])("refuses %s", async (_, options, exitCode, message) => {
    const result = await runSignet(["sync", "watch", ...options], environment);

    expect(result).toMatchObject({ exitCode, stderr: expect.stringContaining(message) });
  });
});

/** A reader that has left is noticed with the next line. Never resolves. */
async function keepWriting(isDone: () => boolean): Promise<never> {
  const { users } = site.backend;
  while (!isDone()) await users.createUser({ email: uniqueEmail() });
  return await new Promise<never>(() => undefined);
}
