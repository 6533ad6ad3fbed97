/** Tells what a process of Node needs of the memory once its garbage is collected. */
export interface LiveMemory extends AsyncDisposable {
  /** Collects the garbage, and returns the bytes of the heap that are left. */
  heapBytes(): Promise<number>;
}

interface Answer {
  readonly id?: number;
  readonly result?: { readonly result?: { readonly value?: unknown } };
}

const COLLECTIONS = 3;

/** Connects to a process that was started with `--inspect` at this port. */
export async function openLiveMemory(port: number): Promise<LiveMemory> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as readonly {
    readonly webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? "");
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("the inspector cannot be reached")));
  });
  const ended = new Promise<never>((_, reject) => {
    socket.addEventListener("close", () => reject(new Error("the service has ended")));
  });
  ended.catch(() => undefined); // Told to whoever asks.
  let lastId = 0;
  const ask = (method: string, params: object = {}): Promise<Answer> => {
    lastId += 1;
    const id = lastId;
    const answered = new Promise<Answer>((resolve) => {
      const onMessage = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as Answer;
        if (answer.id !== id) return;
        socket.removeEventListener("message", onMessage);
        resolve(answer);
      };
      socket.addEventListener("message", onMessage);
      socket.send(JSON.stringify({ id, method, params }));
    });
    return Promise.race([answered, ended]);
  };
  return {
    async heapBytes() {
      for (let n = 0; n < COLLECTIONS; n += 1) await ask("HeapProfiler.collectGarbage");
      const expression = "process.memoryUsage().heapUsed";
      const { result } = await ask("Runtime.evaluate", { expression });
      return Number(result?.result?.value);
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}
