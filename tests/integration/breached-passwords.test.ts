import { createHash } from "node:crypto";
import type { RequestListener } from "node:http";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { secret } from "../../src/model/secret.ts";
import {
  type BreachedPasswordsState,
  createBreachedPasswords,
} from "../../src/outbound/breached-passwords.ts";
import { openSite, refusal, signUp, unique, uniqueEmail } from "../support/builders.ts";
import { openTestDatabase } from "../support/database.ts";
import { type HttpTarget, startHttpTarget } from "../support/http-target.ts";
import { startService } from "../support/service.ts";

const BREACHED = "correct horse battery staple";
const FINE = "four quiet otters swim";

describe("the look-up of breached passwords", () => {
  test("sends five digits of the hash, asks for padding, and compares the rest here", async () => {
    const headers: unknown[] = [];
    await using target = await startHttpTarget((request, response) => {
      headers.push(request.headers["add-padding"]);
      ranges(request, response);
    });
    const { passwords } = open(target);

    expect(await passwords.includes(secret(BREACHED))).toBe(true);
    expect(await passwords.includes(secret(FINE))).toBe(false);
    expect(target.paths).toEqual([BREACHED, FINE].map((one) => `/range/${sha1(one).slice(0, 5)}`));
    expect(headers).toEqual(["true", "true"]);
  });

  test("takes no padding for a breach", async () => {
    await using target = await startHttpTarget((_, response) =>
      response.end(`${sha1(BREACHED).slice(5)}:0\r\n`),
    );
    const { passwords } = open(target);

    expect(await passwords.includes(secret(BREACHED))).toBe(false);
  });

  test("asks once for a range, also when many ask at the same time", async () => {
    await using target = await startHttpTarget(ranges);
    const { passwords } = open(target);
    const ask = () => passwords.includes(secret(BREACHED));

    const answers = await Promise.all([ask(), ask(), ask()]);

    expect([...answers, await ask()]).toEqual([true, true, true, true]);
    expect(passwords.counts()).toEqual({ asked: 1, failed: 0, cached: 3, skipped: 0, found: 4 });
    expect(target.paths).toHaveLength(1);
  });

  test.each<readonly [string, RequestListener]>([
    ["refuses", (_, response) => response.writeHead(503).end()],
    ["never answers", () => undefined],
    ["answers without end", (_, response) => response.end("x".repeat(1_000_000))],
    ["ends the connection", (request) => request.socket.destroy()],
  ])("lets every password pass while the service %s, and tells once", async (_, answer) => {
    await using target = await startHttpTarget(answer);
    const { passwords, states } = open(target);

    for (let n = 0; n < 5; n += 1) {
      expect(await passwords.includes(secret(`${BREACHED} ${n}`))).toBe(false);
    }

    expect(passwords.counts()).toMatchObject({ asked: 3, failed: 3, skipped: 2, found: 0 });
    expect(states).toEqual([{ answers: false, problem: expect.any(String) }]);
  });
});

test("a breached password is refused, and passes where nobody can be asked", async () => {
  let away = false;
  await using target = await startHttpTarget((request, response) =>
    away ? request.socket.destroy() : ranges(request, response),
  );
  await using database = await openTestDatabase();
  await using service = await startService({
    databaseUrl: database.appUrl,
    env: {
      SIGNET_BREACHED_PASSWORDS_URL: `${target.url}/range/`,
      SIGNET_INTERNAL_HOSTS: "127.0.0.1",
    },
  });
  const transport = createGrpcTransport({ baseUrl: service.url });
  const { backend } = await openSite(transport, service.operatorKey);
  const refused = await refusal(
    backend.auth.register({ email: uniqueEmail(), password: BREACHED }),
  );

  expect(refused).toMatchObject({
    code: "InvalidArgument",
    reason: "PASSWORD_REJECTED",
    metadata: { field: "password", problem: "is known from a breach" },
  });
  await signUp(backend);
  away = true;
  const email = `${unique("user")}@example.com`;
  await backend.auth.register({ email, password: unique("no one can be asked") });
  expect(service.stderr()).not.toContain(BREACHED);
});

function open({ url }: HttpTarget) {
  const states: BreachedPasswordsState[] = [];
  const passwords = createBreachedPasswords({
    url: new URL(`${url}/range`),
    internalHosts: ["127.0.0.1"],
    onState: (state) => states.push(state),
  });
  return { passwords, states };
}

/** Answers as such services do: with the breached password, others, and padding. */
const ranges: RequestListener = (request, response) => {
  const prefix = request.url?.slice(-5) ?? "";
  const lines = [`${"0".repeat(35)}:3`, `${"F".repeat(35)}:0`];
  const digest = sha1(BREACHED);
  if (digest.startsWith(prefix)) lines.push(`${digest.slice(5)}:212`);
  response.end(lines.join("\r\n"));
};

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex").toUpperCase();
}
