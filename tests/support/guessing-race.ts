import { type Clients, type SignedIn, signUp } from "./builders.ts";
import { attemptsAt, untilAnswered } from "./guesses.ts";
import { openSiteOnTwoProcesses } from "./site-on-two-processes.ts";

/** What came of guesses that were made at once. */
export interface GuessingRace {
  /** How each guess was answered. */
  readonly outcomes: readonly string[];
  /** How many of the passwords were checked. */
  readonly checked: number;
  /** How the right password is answered afterwards, at each process. */
  readonly afterwards: readonly string[];
}

/** Guesses at one account from two processes, in as many at once as there are guessers. */
export async function guessAtOnce(options: {
  readonly guesses: number;
  readonly guessers: number;
}): Promise<GuessingRace> {
  const { guesses, guessers } = options;
  await using opened = await openSiteOnTwoProcesses();
  const { backends, database } = opened;
  const person = await signUp(backends[0]);
  const outcomes: string[] = [];
  const guesser = async (n: number): Promise<void> => {
    for (let round = 0; round < guesses / guessers; round += 1) {
      const wrong = () => guess(backends[n % 2 === 0 ? 0 : 1], person, `wrong ${n} ${round}`);
      outcomes.push(await untilAnswered(wrong));
    }
  };
  await Promise.all(Array.from({ length: guessers }, (_, n) => guesser(n)));
  const afterwards: string[] = [];
  for (const backend of backends) {
    afterwards.push(await untilAnswered(() => guess(backend, person, person.password)));
  }
  const { failed: checked = 0 } = await attemptsAt(database.adminUrl, person);
  return { outcomes, checked, afterwards };
}

function guess({ auth }: Clients, { email }: SignedIn, password: string): Promise<unknown> {
  return auth.login({ identifier: { case: "email", value: email }, password });
}
