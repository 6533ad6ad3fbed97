import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { type Clients, grpcClients, openSite, type SignedIn, signUp } from "../support/builders.ts";
import { openTestDatabase } from "../support/database.ts";
import { attemptsAt, untilAnswered } from "../support/guesses.ts";
import { createServiceKeys, startService } from "../support/service.ts";

const GUESSES = 1_000;
const GUESSERS = 100;
const LIMIT = 20;

test("of 1,000 guesses over two processes as many are checked as the limit says", async () => {
  await using database = await openTestDatabase();
  const keys = createServiceKeys();
  await using first = await startService({ databaseUrl: database.appUrl, keys });
  await using second = await startService({ databaseUrl: database.appUrl, keys });
  const site = await openSite(createGrpcTransport({ baseUrl: first.url }), keys.operatorKey);
  const clients = [site.backend, grpcClients(second.url, site.key)] as const;
  const person = await signUp(site.backend);

  const outcomes: string[] = [];
  const guesser = async (_: unknown, n: number) => {
    const client = clients[n % 2 === 0 ? 0 : 1];
    for (let round = 0; round < GUESSES / GUESSERS; round += 1) {
      outcomes.push(await untilAnswered(() => guess(client, person, `wrong ${n} ${round}`)));
    }
  };
  await Promise.all(Array.from({ length: GUESSERS }, guesser));

  expect(outcomes).toHaveLength(GUESSES);
  expect(new Set(outcomes)).toEqual(new Set(["LOGIN_FAILED"]));
  expect((await attemptsAt(database.adminUrl, person)).failed).toBe(LIMIT);
  for (const client of clients) {
    const right = () => guess(client, person, person.password);
    expect(await untilAnswered(right)).toBe("LOGIN_FAILED");
  }
});

function guess({ auth }: Clients, { email }: SignedIn, password: string): Promise<unknown> {
  return auth.login({ identifier: { case: "email", value: email }, password });
}
