import { existsSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createSignetClient, Scope, type SignetClient } from "../../src/client/index.ts";
import type { Transcript } from "../../src/demo/transcript.ts";
import { type OwnService, startOwnService } from "../support/own-service.ts";
import { type RunningProgram, runProgram, startProgram } from "../support/programs.ts";

const readme = readFileSync("README.md", "utf8");

let service: OwnService;
let operator: SignetClient;
const running: RunningProgram[] = [];

beforeAll(async () => {
  service = await startOwnService();
  operator = createSignetClient({ url: service.url, key: service.operatorKey });
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((program) => program.stop()));
});

afterAll(async () => {
  operator.close();
  await service[Symbol.asyncDispose]();
});

describe("README.md", () => {
  test("names only files and scripts that exist", () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = ""]) => path);
    const scripts = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name = ""]) => name);
    const known = ["ci", ...Object.keys(JSON.parse(readFileSync("package.json", "utf8")).scripts)];

    expect([links.length, scripts.length].map((count) => count > 5)).toEqual([true, true]);
    expect(links.filter((path) => !existsSync(path))).toEqual([]);
    expect(scripts.filter((name) => !known.includes(name))).toEqual([]);
  });

  test("has three buf curl lines that work as they are, after the export", async () => {
    const [listServices = "", createSite = "", watchUsers = ""] =
      readmeLines(/^npx buf curl .+$/gm);

    const services = await paste(listServices);
    const site = await paste(createSite);
    const stream = pasteAndLeave(watchUsers);
    await stream.waitFor(/"snapshotEnd"/, "the end of the snapshot");
    const user = await paste(...readmeLines(/npm run signet -- user create --site [^`<]+(?=`)/g));

    expect(services).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/SyncService/) });
    expect(site).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/"name": "Demo"/) });
    expect(user).toMatchObject({ exitCode: 0 });
    await stream.waitFor(/"changeBatch".+"ada@example\.com"/s, "the Change");
  });

  test("has an example that signs in, checks the token and follows the Users", async () => {
    const { site } = await operator.sites.createSite({
      name: "Shop",
      frontendUrl: "http://localhost:3000",
    });
    const siteId = site?.id ?? "";
    const scopes = [Scope.AUTH, Scope.SYNC];
    const { secret } = await operator.sites.createApiKey({ siteId, label: "shop", scopes });
    const password = "correct horse battery staple";
    const userId = await registerVerified(siteId, "eve@example.com", password);

    const words = ["examples/sibling-app.ts", "eve@example.com", password];
    const app = leave(process.execPath, words, { SIGNET_URL: service.url, SIGNET_KEY: secret });
    await app.waitFor(new RegExp(`signed in: user ${userId} with roles user\n`), "the login");
    await app.waitFor(new RegExp(`user ${userId}: eve@example.com, v2\n`), "the snapshot");
    await operator.users.updateUser({ siteId, userId, displayName: "Eve" });

    await app.waitFor(new RegExp(`user ${userId}: eve@example.com, v3\n`), "the Change");
  });
});

function readmeLines(pattern: RegExp): string[] {
  return [...readme.matchAll(pattern)].map(([line]) => line);
}

/** The one difference to what a person pastes is where the service is. */
function toPaste(line: string): readonly string[] {
  const [exporting = ""] = readmeLines(/^export SIGNET_KEY=.+$/gm);
  const script = `${exporting}\n${line}`
    .replaceAll(".signet/operator-key", service.operatorKeyFile)
    .replaceAll("http://127.0.0.1:5678", service.url);
  return ["-c", script];
}

function paste(line = "false") {
  return runProgram("bash", toPaste(line), { SIGNET_URL: service.url });
}

function pasteAndLeave(line: string): Transcript {
  return leave("bash", toPaste(line));
}

/** Starts a program that runs until the end of the test. */
function leave(
  file: string,
  words: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Transcript {
  const program = startProgram(file, words, environment);
  running.push(program);
  return program.output;
}

async function registerVerified(siteId: string, email: string, password: string): Promise<string> {
  await operator.auth.register({ siteId, email, password });
  const mail = new RegExp(`to: +${email}\n(?:.+\n)*? *link: +\\S+token=(\\S+)`);
  const [, token = ""] = await service.output.waitFor(mail, "the mail");
  const { userId } = await operator.auth.verifyEmail({ siteId, token });
  return userId;
}
