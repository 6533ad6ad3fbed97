import type { Transport } from "@connectrpc/connect";
import { createContext, useContext, useSyncExternalStore } from "react";
import type { Caller } from "./caller.ts";
import type { Proof } from "./proof.ts";
import type { Session, SessionState } from "./session.ts";

/** What all screens share. */
export interface Console {
  readonly session: Session;
  readonly proof: Proof;
  /** Calls as nobody. */
  readonly publicTransport: Transport;
  /** Calls as whoever is signed in. */
  readonly transport: Transport;
}

/** Hands the {@link Console} down to the screens. */
export const ConsoleContext = createContext<Console | undefined>(undefined);

/** Returns what all screens share. */
export function useConsole(): Console {
  const shared = useContext(ConsoleContext);
  if (shared === undefined) throw new Error("a screen stands outside of the console");
  return shared;
}

/** Returns whether somebody is signed in, and follows it. */
export function useSessionState(): SessionState {
  const { session } = useConsole();
  return useSyncExternalStore(session.subscribe, session.state);
}

/** Returns who is signed in. Only for screens that nobody else sees. */
export function useCaller(): Caller {
  const { caller } = useSessionState();
  if (caller === undefined) throw new Error("nobody is signed in");
  return caller;
}

/** Tells whether the holder of an operator key is signed in, who may call everything. */
export function useIsOperator(): boolean {
  return useSessionState().caller?.kind === "operator";
}
