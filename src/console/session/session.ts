import type { AdminCaller, Caller, Tokens } from "./caller.ts";

/** Why nobody is signed in any more. */
export type SessionEnd = "signed_out" | "expired";

/** Whether somebody is signed in, and who. */
export interface SessionState {
  readonly caller: Caller | undefined;
  readonly end?: SessionEnd;
}

/** What {@link createSession} gets new tokens by. */
export type RenewTokens = (siteId: string, refreshToken: string) => Promise<Tokens>;

/** The one holder of the credential. It writes it nowhere. */
export interface Session {
  readonly state: () => SessionState;
  /** Calls back with each change of the state; returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
  readonly begin: (caller: Caller) => void;
  readonly end: (why: SessionEnd) => void;
  /** Replaces the access token of an admin who has proved its login anew. */
  readonly prove: (accessToken: string, accessTokenExpireMs: number) => void;
  /** Returns what goes into the header, after a refresh where it is due; undefined: nobody. */
  readonly credential: () => Promise<string | undefined>;
  /** Refreshes an admin's tokens; false: there is nothing to refresh, or it was refused. */
  readonly renew: () => Promise<boolean>;
}

/** A refresh token belongs to one Session alone. */
const isOf = ({ tokens }: AdminCaller, { refreshToken }: Tokens): boolean =>
  tokens.refreshToken === refreshToken;

/** An access token is renewed so long before its end, so that no call meets it. */
const RENEW_AHEAD_MS = 30_000;

/** Creates the holder; nobody is signed in. */
export function createSession(renewTokens: RenewTokens): Session {
  const listeners = new Set<() => void>();
  let state: SessionState = { caller: undefined };
  let renewal: Promise<boolean> | undefined;

  function become(next: SessionState): void {
    state = next;
    for (const listener of listeners) listener();
  }

  function withTokens(tokens: Partial<Tokens>): void {
    const { caller } = state;
    if (caller?.kind !== "admin") return;
    become({ caller: { ...caller, tokens: { ...caller.tokens, ...tokens } } });
  }

  async function refresh(): Promise<boolean> {
    const { caller } = state;
    if (caller?.kind !== "admin") return false;
    try {
      const tokens = await renewTokens(caller.siteId, caller.tokens.refreshToken);
      // Whoever has signed out meanwhile stays so.
      const isSame = state.caller?.kind === "admin" && isOf(state.caller, caller.tokens);
      if (isSame) withTokens(tokens);
      return isSame;
    } catch {
      return false;
    }
  }

  /** Calls at the same time share one refresh, since a refresh token is good for one use. */
  async function renew(): Promise<boolean> {
    renewal ??= refresh().finally(() => {
      renewal = undefined;
    });
    return await renewal;
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    begin: (caller) => become({ caller }),
    end: (end) => become({ caller: undefined, end }),
    prove: (accessToken, accessTokenExpireMs) => withTokens({ accessToken, accessTokenExpireMs }),
    async credential() {
      const { caller } = state;
      if (caller?.kind !== "admin") return caller?.key;
      if (caller.tokens.accessTokenExpireMs - Date.now() < RENEW_AHEAD_MS) await renew();
      return state.caller?.kind === "admin" ? state.caller.tokens.accessToken : undefined;
    },
    renew,
  };
}
