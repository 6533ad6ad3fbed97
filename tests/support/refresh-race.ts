import { setTimeout as sleep } from "node:timers/promises";
import { type Clients, logIn, patiently, refusalOf, type SignedIn, signUp } from "./builders.ts";
import { runAsAdmin } from "./database.ts";
import { atOnce, inParallel } from "./site-on-two-processes.ts";

/** A Session as its holder sees it. */
export type Holder = Pick<SignedIn, "sessionId" | "refreshToken">;

/** The same backend at both processes. */
type Backends = readonly [Clients, Clients];

const SESSIONS_OF_ONE_USER = 10;
const LOGINS_AT_ONCE = 8;
const TOKENS_AT_ONCE = 10;
const ANSWER_LOST_AFTER_MS_MAX = 20;

/** Signs people in, ten times each, until there are as many Sessions as are asked for. */
export async function openSessions([backend]: Backends, count: number): Promise<Holder[]> {
  const people = Array.from({ length: Math.ceil(count / SESSIONS_OF_ONE_USER) });
  const opened = await inParallel(people, LOGINS_AT_ONCE, async () => {
    const person = await patiently(() => signUp(backend));
    const sessions: Holder[] = [person];
    while (sessions.length < SESSIONS_OF_ONE_USER) {
      sessions.push(await patiently(() => logIn(backend, person.email, person.password)));
    }
    return sessions;
  });
  return opened.flat().slice(0, count);
}

/** Presents each token many times at once; returns what the presenters of each were given. */
export async function presentAtOnce(
  backends: Backends,
  holders: readonly Holder[],
  times: number,
): Promise<ReadonlySet<string>[]> {
  return await inParallel(holders, TOKENS_AT_ONCE, async ({ refreshToken }) => {
    return new Set(await atOnce(backends, times, (backend) => refresh(backend, refreshToken)));
  });
}

/**
 * Refreshes every Session, and loses the answer: of every other one it never arrives, since the
 * call is given up on the way. Returns the answers that did arrive, by their Session.
 */
export async function loseAnswers(
  [first, second]: Backends,
  holders: readonly Holder[],
): Promise<ReadonlyMap<string, string>> {
  const lost = new Map<string, string>();
  await inParallel([...holders.entries()], TOKENS_AT_ONCE, async ([n, holder]) => {
    const { refreshToken, sessionId } = holder;
    if (n % 2 === 0) return void lost.set(sessionId, await refresh(first, refreshToken));
    const signal = AbortSignal.timeout(n % ANSWER_LOST_AFTER_MS_MAX);
    const unheard = second.auth.refreshToken({ refreshToken }, { signal });
    await unheard.catch(() => undefined);
  });
  return lost;
}

/**
 * Goes on refreshing one Session as a careful client does: without an answer it presents the
 * same token again, at the other process. Ends once it is stopped, or refused.
 */
export async function keepRefreshing(
  backends: Backends,
  first: Holder,
  course: { readonly running: boolean },
  onRefresh: () => void,
): Promise<string> {
  let { refreshToken } = first;
  for (let n = 0; course.running; n += 1) {
    try {
      refreshToken = await refresh(backends[n % 2 === 0 ? 0 : 1], refreshToken);
      onRefresh();
    } catch (error) {
      if (refusalOf(error).reason === "REFRESH_TOKEN_INVALID") throw error;
      await sleep(20);
    }
  }
  return refreshToken;
}

/** Counts the tokens that are good for these Sessions: each lineage has one at its end. */
export async function countLineages(
  adminUrl: string,
  holders: readonly Holder[],
): Promise<{ readonly sessions: number; readonly ends: number }> {
  const ids = holders.map(({ sessionId }) => `'${sessionId}'`).join();
  const [row] = await runAsAdmin<{ sessions: number; ends: number }>(
    adminUrl,
    `select count(distinct s.id)::int as sessions, count(*)::int as ends
       from signet.sessions s
       join signet.refresh_tokens t on t.session_id = s.id and t.use_time is null
      where s.id in (${ids}) and s.end_time is null`,
  );
  return row ?? { sessions: 0, ends: 0 };
}

/** Presents a token, again where the service is too busy, and returns its successor. */
export async function refresh({ auth }: Clients, refreshToken: string): Promise<string> {
  const { tokens } = await patiently(() => auth.refreshToken({ refreshToken }));
  return tokens?.refreshToken ?? "";
}
