import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Guide, openGuide } from "../support/guide.ts";
import { openTestFolder } from "../support/postgres.ts";
import type { RunningProgram } from "../support/programs.ts";
import { freePort } from "../support/service.ts";
import { pathWithSignet } from "../support/signet-command.ts";

/** What this test reads of answers. */
interface Answer {
  readonly site?: { readonly id: string };
  readonly secret?: string;
  readonly user?: { readonly id: string };
}

let folder: string;
let guide: Guide;
const running: RunningProgram[] = [];

beforeAll(async () => {
  folder = await openTestFolder();
  guide = openGuide(
    "from-shared-users",
    { PATH: await pathWithSignet() },
    {
      5001: `${await freePort()}`,
      5002: `${await freePort()}`,
      ".signet-a": join(folder, "a"),
      ".signet-b": join(folder, "b"),
    },
  );
});

afterAll(async () => {
  await Promise.all(running.map((program) => program.stop()));
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

/** Starts a Signet as the guide does. */
function start(values?: Readonly<Record<string, string>>): RunningProgram {
  const program = guide.startNext(values);
  running.push(program);
  return program;
}

async function ready({ output }: RunningProgram): Promise<void> {
  await output.waitFor(/Signet is ready at /, "Signet was ready");
}

test("the lines of from-shared-users.md work in their order", async () => {
  const [a, b] = [start(), start()];
  await Promise.all([ready(a), ready(b)]);
  const siteAtA = ((await guide.runNext()) as Answer).site?.id ?? "";
  const keyOfA = ((await guide.runNext({ "site at a": siteAtA })) as Answer).secret ?? "";
  const siteAtB = ((await guide.runNext()) as Answer).site?.id ?? "";
  const keyOfB = ((await guide.runNext({ "site at b": siteAtB })) as Answer).secret ?? "";
  const keyForB = ((await guide.runNext({ "site at a": siteAtA })) as Answer).secret ?? "";
  await b.stop("SIGINT");
  await ready(start({ "key for b": keyForB, "site at b": siteAtB }));

  const tested = await guide.runNext();
  await guide.runNext({ "key of a": keyOfA });
  const [, token = ""] = await a.output.waitFor(/token=(sgn_ot_[\w-]+)/, "the mail");
  const verified = await guide.runNext({ "key of a": keyOfA, "token of the mail": token });
  const before = await guide.runNext({ "site at b": siteAtB });
  const session = await guide.runNext({ "key of b": keyOfB });
  const after = await guide.runNext({ "site at b": siteAtB });

  const { userId } = verified as { readonly userId?: string };
  expect(tested).toMatchObject({ answer: { siteId: siteAtA } });
  expect(before).toMatchObject({ users: [] });
  expect(session).toMatchObject({ session: { session: { userId: expect.any(String) } } });
  expect(after).toMatchObject({
    user: { username: "ada", origin: { source: "app-a", sourceUserId: userId } },
  });
  expect(guide.left()).toBe(0);
});
