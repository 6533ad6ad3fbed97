import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openReleaseClone, type ReleaseClone } from "../support/release-clone.ts";

const IMAGE = "registry.example.com/team/signet";

/** Tests of their own build the client and the console. */
const FAST_BUILD =
  "mkdir -p dist/client && cp package.json dist/client && cd dist/client && " +
  "npm pkg delete private scripts dependencies devDependencies && npm pkg set name=signet-client";

let clone: ReleaseClone;
let buildClient: string;

beforeAll(async () => {
  clone = await openReleaseClone();
  buildClient = JSON.parse(await clone.read("package.json")).scripts["build:client"];
  await setBuilds(FAST_BUILD);
  await clone.write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\nMuch.\n\n## 0.0.1\n\nOld.\n");
  commit("Begin");
});

afterAll(() => clone[Symbol.asyncDispose]());

describe("a release", () => {
  test("is planned without doing anything", async () => {
    const words = ["0.2.0", "--image", IMAGE, "--registry", "https://npm.example.com", "--dry-run"];

    const { exitCode, stdout } = await clone.release(words);

    expect(exitCode).toBe(0);
    const commands = stdout.split("\n").flatMap((line) => /^ {2}(\w+ .*)$/.exec(line)?.[1] ?? []);
    expect(commands).toEqual([
      "npm run build:client",
      "npm pack ./dist/client --pack-destination dist",
      "node scripts/build-sbom.ts dist/signet-0.2.0.cdx.json",
      "npm run build:console",
      expect.stringMatching(
        /^docker build .* --tag registry\.example\.com\/team\/signet:0\.2\.0 \.$/,
      ),
      expect.stringMatching(/^git add -- package.json package-lock.json .*CHANGELOG.md$/),
      "git commit --message 'Release 0.2.0'",
      "git tag --annotate v0.2.0 --message 'Signet 0.2.0'",
      "git push --atomic origin main v0.2.0",
      "npm publish ./dist/signet-client-0.2.0.tgz --registry https://npm.example.com",
      `docker push ${IMAGE}:0.2.0`,
    ]);
    expect(clone.git("status", "--porcelain")).toBe("");
    expect(await clone.dockerCalls()).toEqual([]);
  });

  test.each<[string, string[], string]>([
    ["no version", ["latest"], "is no version"],
    ["two versions", ["0.2.0", "0.3.0"], "npm run release -- <version>"],
    ["an older version", ["0.0.9"], "older than"],
    ["an unknown option", ["0.2.0", "--force"], "--force"],
    ["an image with a tag", ["0.2.0", "--image", `${IMAGE}:latest`], "no tag"],
    ["a registry that is none", ["0.2.0", "--registry", "npm"], "--registry must be"],
  ])("is refused for %s", async (_, words, problem) => {
    const { exitCode, stderr } = await clone.release([...words, "--dry-run"]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain(problem);
  });

  test("is refused for a dirty tree, a tag that is there, an empty changelog", async () => {
    await clone.write("left.txt", "");
    const dirty = await clone.release(["0.2.0"]);
    clone.git("clean", "--quiet", "--force");
    clone.git("tag", "v0.2.0");
    const tagged = await clone.release(["0.2.0"]);
    clone.git("tag", "--delete", "v0.2.0");
    await clone.write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## 0.0.1\n\nOld.\n");
    commit("Say nothing");
    const empty = await clone.release(["0.2.0"]);
    await clone.write("CHANGELOG.md", "# Changelog\n\n## 0.0.1, 2026-01-31\n\nOld.\n");
    commit("Say what is known");
    const released = await clone.release(["0.2.0"]);
    clone.git("reset", "--quiet", "--hard", "HEAD~2");

    expect(dirty).toMatchObject({ exitCode: 1, stdout: "" });
    expect(dirty.stderr).toContain("not committed");
    expect(tagged.stderr).toContain("the tag v0.2.0 is there already");
    expect(empty.stderr).toContain('CHANGELOG.md says nothing below "## Unreleased"');
    expect(released.stderr).toContain('whose heading says "unreleased"');
  });

  test("that cannot be built leaves the tree as it was", async () => {
    const head = clone.git("rev-parse", "HEAD");
    const { stderr } = await clone.release(["0.2.0", "--image", IMAGE], { DOCKER_STATUS: "7" });

    expect(stderr).toMatch(/No release: docker build .* failed/);
    expect(clone.git("rev-parse", "HEAD")).toBe(head);
    expect(clone.git("status", "--porcelain")).toBe("");
    expect(clone.git("tag")).toBe("");
  });

  test("is built, committed and tagged, and leaves nothing but words about the rest", async () => {
    await setBuilds(buildClient);
    commit("Build for good");
    const calls = await clone.dockerCalls();

    const { exitCode, stdout } = await clone.release(["0.2.0", "--image", IMAGE]);

    expect(exitCode).toBe(0);
    expect(stdout).toContain("nothing has left this machine");
    expect(stdout).toMatch(/ {2}git push --atomic origin main v0\.2\.0\n {2}docker push /);
    expect(clone.git("show", "v0.2.0:CHANGELOG.md")).toMatch(/^## 0\.2\.0, \d{4}-\d\d-\d\d$/m);
    expect(clone.git("show", "v0.2.0:src/client/version.ts")).toContain('"0.2.0"');
    const lock = JSON.parse(clone.git("show", "v0.2.0:package-lock.json"));
    expect([lock.version, lock.packages[""].version]).toEqual(["0.2.0", "0.2.0"]);
    expect(await clone.read("dist/client/src/client/version.js")).toContain('"0.2.0"');
    expect(JSON.parse(await clone.read("dist/client/package.json")).version).toBe("0.2.0");
    expect(await clone.read("dist/signet-client-0.2.0.tgz")).not.toBe("");
    expect((await clone.dockerCalls()).slice(calls.length)).toEqual([
      `build --label org.opencontainers.image.version=0.2.0 --tag ${IMAGE}:0.2.0 .`,
    ]);
    expect(clone.git("ls-remote", "origin")).toBe("");
  });

  test("lists every package that Signet is made of, each with its digest", async () => {
    const { metadata, components } = JSON.parse(await clone.read("dist/signet-0.2.0.cdx.json"));
    const { packages } = JSON.parse(await clone.read("package-lock.json"));

    expect(metadata.component).toMatchObject({ name: "signet", version: "0.2.0" });
    const purls = (components as readonly Component[]).map(({ purl }) => purl);
    expect(new Set(purls)).toEqual(new Set(purlsOf(packages)));
    expect((components as readonly Component[]).filter(({ hashes }) => !hashes?.length)).toEqual(
      [],
    );
  });

  test("is published where that is asked for, a candidate beside the newest release", async () => {
    await using registry = await startRegistry();
    await clone.write("../.npmrc", `//${new URL(registry.url).host}/:_authToken=secret\n`);
    const changelog = await clone.read("CHANGELOG.md");
    await clone.write("CHANGELOG.md", changelog.replace("##", "## Unreleased\n\nMore.\n\n##"));
    await setBuilds(FAST_BUILD);
    commit("Go on");
    const words = ["0.3.0-rc.1", "--image", IMAGE, "--registry", registry.url, "--push"];

    const { exitCode, stderr } = await clone.release(words);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.any(String) });
    expect(clone.git("ls-remote", "--tags", "origin")).toContain("refs/tags/v0.3.0-rc.1");
    expect(registry.published).toMatchObject([
      { name: "signet-client", "dist-tags": { next: "0.3.0-rc.1" } },
    ]);
    expect((await clone.dockerCalls()).at(-1)).toBe(`push ${IMAGE}:0.3.0-rc.1`);
  });
});

async function setBuilds(client: string): Promise<void> {
  const { scripts, ...manifest } = JSON.parse(await clone.read("package.json"));
  const builds = { "build:client": client, "build:console": "mkdir -p dist/console" };
  const changed = { ...manifest, scripts: { ...scripts, ...builds } };
  await clone.write("package.json", `${JSON.stringify(changed, undefined, 2)}\n`);
}

/** What a bill of materials says of a package. */
interface Component {
  readonly purl: string;
  readonly hashes?: readonly unknown[];
}

/** Names the packages of a lock file as a bill of materials does; an alias has the real name. */
function purlsOf(packages: Readonly<Record<string, { name?: string; version: string }>>) {
  const { "": _itself, ...others } = packages;
  return Object.entries(others).map(([path, { name, version }]) => {
    const real = name ?? path.replace(/^.*node_modules\//, "");
    return `pkg:npm/${real.replace("@", "%40")}@${version}`;
  });
}

function commit(message: string): void {
  clone.git("add", "--all");
  clone.git("commit", "--quiet", "--message", message);
}

/** Takes packages as an npm registry does, and keeps what they said. */
async function startRegistry() {
  const published: unknown[] = [];
  const server = createServer((request, response) => {
    const answer = (status: number) =>
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
    if (request.method !== "PUT") answer(404);
    else {
      json(request).then(
        (body) => {
          published.push(body);
          answer(201);
        },
        () => answer(400),
      );
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    published,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
