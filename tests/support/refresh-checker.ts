import type { Operation } from "./operation-log.ts";

/** For so long a used refresh token gives its successor again, whatever clock a process has. */
const GRACE_MS = 10_000;
/** No call takes longer, however long it was on its way. */
const DELAY_MS_MAX = 30_000;

/** An operation that presents a refresh token. */
type Refresh = Operation & { readonly intent: { readonly type: "refresh" } };

/**
 * Lists what has gone wrong with refresh tokens: one with two successors, a successor of two, or
 * a Session that ended though its holder has done nothing but ask again in time.
 */
export function listRefreshFaults(operations: readonly Operation[]): string[] {
  const faults: string[] = [];
  const successors = new Map<string, string>();
  const origins = new Map<string, string>();
  const unheard = new Map<string, Refresh[]>();
  for (const operation of operations.filter(isRefresh)) {
    const { intent, outcome } = operation;
    const { token, sessionId } = intent;
    if (outcome.type === "unknown") {
      unheard.set(sessionId, [...(unheard.get(sessionId) ?? []), operation]);
    }
    if (outcome.type === "refreshed") {
      const { successor } = outcome;
      if ((successors.get(token) ?? successor) !== successor) {
        faults.push(`a token of ${sessionId} was forked`);
      }
      if ((origins.get(successor) ?? token) !== token) {
        faults.push(`two tokens of ${sessionId} have one successor`);
      }
      successors.set(token, successor);
      origins.set(successor, token);
    }
    if (outcome.type === "refused" && !isOwnFault(operation, unheard.get(sessionId) ?? [])) {
      faults.push(`the Session ${sessionId} has ended by itself: ${outcome.reason}`);
    }
  }
  return faults;
}

function isRefresh(operation: Operation): operation is Refresh {
  return operation.intent.type === "refresh";
}

/**
 * Tells whether what the holder did ends a Session: to come back too late for an answer that was
 * lost, or to use the successor of a token while a call with that token, given up without an
 * answer, is still on its way: when it arrives it cannot be told from a thief's.
 */
function isOwnFault({ intent, endedMs }: Refresh, unheard: readonly Refresh[]): boolean {
  return unheard.some((earlier) => {
    const isSame = earlier.intent.token === intent.token;
    const ageMs = endedMs - earlier.invokedMs;
    return isSame ? ageMs >= GRACE_MS : ageMs <= DELAY_MS_MAX;
  });
}
