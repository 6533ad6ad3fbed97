import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as bcrypt from "bcrypt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createKey, createSite, grpcClients, logIn } from "../support/builders.ts";
import { exportFiles, FIREBASE_CONFIG } from "../support/export-files.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let running: SiteOnService;
let folder: string;

beforeAll(async () => {
  running = await openSiteOnService();
  folder = await mkdtemp(join(tmpdir(), "signet-guide-"));
});

afterAll(async () => {
  await running[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("each command of docs/guides/import.md imports such files", async () => {
  const guide = await readFile("docs/guides/import.md", "utf8");
  const siteId = await createSite(running.operator);
  const { auth0, keycloak, firebase, supabase } = await exportFiles();
  const [profile = "", hashes = ""] = (auth0?.text ?? "").split("\n");
  const [, sample = ""] = /^```json\n(.*)\n```$/m.exec(guide) ?? [];
  const files = {
    "users.ndjson": sample.replace("$2b$10$…", await bcrypt.hash("correct horse battery", 4)),
    "profiles.json": profile,
    "hashes.json": hashes,
    "realm.json": keycloak?.text ?? "",
    "users.json": firebase?.text ?? "",
    "users.csv": supabase?.text ?? "",
    "hash.txt": FIREBASE_CONFIG,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);

  const commands = [...guide.matchAll(/^signet (user import .*)$/gm)].map(
    ([, words = ""]) => words,
  );
  const answers: string[] = [];
  for (const command of commands) {
    const words = command.replace("<site id>", siteId).split(" ");
    const placed = words.map((word) => (/\.\w+$/.test(word) ? join(folder, word) : word));
    const { stdout } = await runSignet(placed, {
      SIGNET_URL: running.service.url,
      SIGNET_KEY: running.service.operatorKey,
    });
    answers.push(stdout.trim());
  }

  expect(answers).toEqual([
    "would be: 1 created, 0 updated, 0 unchanged, 0 refused",
    "1 created, 0 updated, 0 unchanged, 0 refused",
    "1 created, 0 updated, 0 unchanged, 0 refused",
    "0 created, 1 updated, 0 unchanged, 0 refused",
    "2 created, 0 updated, 0 unchanged, 1 refused",
    "1 created, 0 updated, 0 unchanged, 1 refused",
    "1 created, 0 updated, 0 unchanged, 1 refused",
  ]);
  const keyed = grpcClients(running.service.url, await createKey(running.operator, siteId));
  const people = [auth0, keycloak, firebase, supabase].flatMap((file) => file?.people ?? []);
  for (const { email, password } of people) await logIn(keyed, email, password);
});
