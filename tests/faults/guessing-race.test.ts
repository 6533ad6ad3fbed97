import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { grpcClients, openSite, signUp } from "../support/builders.ts";
import { openTestDatabase } from "../support/database.ts";
import { attemptsAt, logInWith, outcome } from "../support/guesses.ts";
import { createServiceKeys, startService } from "../support/service.ts";

const GUESSES = 1_000;
const AT_ONCE = 250;
const LIMIT = 20;

test("of 1,000 guesses over two processes exactly as many are checked as the limit says", async () => {
  await using database = await openTestDatabase();
  const keys = createServiceKeys();
  await using first = await startService({ databaseUrl: database.appUrl, keys });
  await using second = await startService({ databaseUrl: database.appUrl, keys });
  const site = await openSite(createGrpcTransport({ baseUrl: first.url }), keys.operatorKey);
  const clients = [site.backend, grpcClients(second.url, site.key)] as const;
  const person = await signUp(site.backend);

  const outcomes: string[] = [];
  for (let n = 0; n < GUESSES; n += AT_ONCE) {
    const round = Array.from({ length: AT_ONCE }, (_, i) =>
      outcome(logInWith(clients[i % 2 === 0 ? 0 : 1], person, `wrong ${n + i}`)),
    );
    outcomes.push(...(await Promise.all(round)));
  }

  expect(new Set(outcomes)).toEqual(new Set(["LOGIN_FAILED"]));
  expect((await attemptsAt(database.adminUrl, person)).failed).toBe(LIMIT);
  for (const client of clients) {
    expect(await outcome(logInWith(client, person))).toBe("LOGIN_FAILED");
  }
});
