import { randomInt } from "node:crypto";
import { createSignetClient, type SignetClient } from "../../src/client/index.ts";
import { createPopulation } from "../population.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";
import { percentile } from "../statistics.ts";

/** Beside a Site of this size, whatever the size of the large one. */
const SMALL_SITE_USERS = 10_000;
const RATIO_MAX = 1.3;
const PAGE_SIZE = 50;

/** A question to a Site of so many Users. */
type Question = (client: SignetClient, userCount: number) => Promise<unknown>;

const QUESTIONS: Readonly<Record<string, Question>> = {
  "users: look-up by address": ({ users }, userCount) =>
    users.lookupUser({ user: { ref: { case: "email", value: someAddress(userCount) } } }),
  "users: look-up by username": ({ users }, userCount) =>
    users.lookupUser({ user: { ref: { case: "username", value: someName(userCount) } } }),
  "users: first page of a list": ({ users }) => users.listUsers({ pageSize: PAGE_SIZE }),
  "users: first page by the beginning of an address": ({ users }, userCount) => {
    const prefix = { case: "emailPrefix", value: someName(userCount).slice(0, -1) } as const;
    return users.listUsers({ pageSize: PAGE_SIZE, filter: { prefix } });
  },
  "users: first page of those created since": ({ users }) => {
    const createTimeFrom = { seconds: 0n, nanos: 0 };
    return users.listUsers({ pageSize: PAGE_SIZE, filter: { createTimeFrom } });
  },
};

/**
 * How long one question takes on a large Site, one at a time over gRPC, beside the same question on
 * a Site of 10,000 Users of the same Signet.
 */
export const usersAtScale: Row = {
  names: Object.keys(QUESTIONS),
  async measure(bench) {
    const small = await openSite(bench, "small", SMALL_SITE_USERS);
    const large = await openSite(bench, "large", bench.userCount);
    const figures: Figure[] = [];
    for (const [row, question] of Object.entries(QUESTIONS)) {
      const samples = await playRounds(bench.rounds, {
        large: () => medianMs(bench.roundMs, () => question(large, bench.userCount)),
        small: () => medianMs(bench.roundMs, () => question(small, SMALL_SITE_USERS)),
      });
      const yardstick = { name: "at 10,000 Users", samples: samples.small };
      figures.push({ row, unit: "ms", samples: samples.large, yardstick, goal: RATIO_MAX });
    }
    return figures;
  },
};

async function openSite(
  { service, resources }: Bench,
  name: string,
  userCount: number,
): Promise<SignetClient> {
  const { siteKey } = await createPopulation(service, name, userCount);
  const client = createSignetClient({ url: service.url, key: siteKey });
  resources.defer(() => client.close());
  return client;
}

async function medianMs(ms: number, ask: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + ms;
  do {
    const start = performance.now();
    await ask();
    times.push(performance.now() - start);
  } while (performance.now() < end);
  return percentile(times, 0.5);
}

/** As {@link createPopulation} has named them. */
function someName(userCount: number): string {
  return `user${randomInt(1, userCount + 1)}`;
}

function someAddress(userCount: number): string {
  return `${someName(userCount)}@example.com`;
}
