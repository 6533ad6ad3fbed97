import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";

/** Calls that are made one after the other until they are told to stop. */
export interface RestlessCalls extends AsyncDisposable {
  /** How many have succeeded. */
  done(): number;
  /** Lets those under way finish; rejects if one has failed by anything but UNAVAILABLE. */
  stop(): Promise<void>;
}

const ATTEMPTS_MAX = 300;
const DELAY_MS = 50;

/** Makes a call again and again, on so many roads at once; UNAVAILABLE is tried again. */
export function keepCalling(roads: number, call: () => Promise<unknown>): RestlessCalls {
  let done = 0;
  let isStopped = false;
  const walk = async (): Promise<void> => {
    while (!isStopped) {
      await whileUnavailable(call);
      done += 1;
    }
  };
  const walks = Promise.all(Array.from({ length: roads }, walk));
  walks.catch(() => undefined); // Told by `stop`.
  const stop = async (): Promise<void> => {
    isStopped = true;
    await walks;
  };
  return {
    done: () => done,
    stop,
    async [Symbol.asyncDispose]() {
      await stop().catch(() => undefined);
    },
  };
}

/** Repeats a call as long as it is refused as UNAVAILABLE: for 15 s or longer. */
async function whileUnavailable<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const isUnavailable = ConnectError.from(error).code === Code.Unavailable;
      if (!isUnavailable || attempt === ATTEMPTS_MAX) throw error;
      await sleep(DELAY_MS);
    }
  }
}
