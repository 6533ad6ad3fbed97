import { type RunningExample, startExample } from "./guide-example.ts";

/** What the example of docs/guides/master-and-mirror.md has answered. */
export interface BackendAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** That example as a process of its own. */
export interface BackendApp extends RunningExample {
  /** Asks for a page, or with a body puts something there. */
  ask(path: string, token?: string, body?: object): Promise<BackendAnswer>;
  signIn(person: {
    readonly email: string;
    readonly password: string;
  }): Promise<{ readonly status: number; readonly token: string; readonly user: BackendUser }>;
}

/** Somebody, as the backend knows them. */
export interface BackendUser {
  readonly id: string;
  readonly email: string;
  readonly plan_tier: string;
}

/** Starts it. Dispose of it at the end. */
export async function startBackend(
  environment: Readonly<Record<string, string>>,
): Promise<BackendApp> {
  const program = await startExample("mirrored-backend", environment);

  async function call(method: string, path: string, token?: string, body?: object) {
    const headers = {
      ...(token && { authorization: `Bearer ${token}` }),
      "content-type": "application/json",
    };
    const sent = body && { body: JSON.stringify(body) };
    const answer = await fetch(`${program.url}${path}`, { method, headers, ...sent });
    return { status: answer.status, json: JSON.parse((await answer.text()) || "{}") };
  }

  return {
    ...program,
    ask: (path, token, body) => call(body ? "PUT" : "GET", path, token, body),
    async signIn(person) {
      const { status, json } = await call("POST", "/login", undefined, person);
      return { status, user: json.user, token: json.accessToken ?? "" };
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
