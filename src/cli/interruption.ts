/** The wish of whoever runs the command that it comes to its end. */
export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Listens for Ctrl-C and for SIGTERM. The second time the process ends without further ado. */
export function listenForInterruption(): Interruption {
  const interrupting = new AbortController();
  const stopListening = () => {
    for (const name of SIGNALS) process.off(name, interrupt);
  };
  const interrupt = () => {
    stopListening();
    interrupting.abort();
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  return { signal: interrupting.signal, [Symbol.dispose]: stopListening };
}
