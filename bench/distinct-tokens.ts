import { createSignetClient } from "../src/client/index.ts";
import type { BenchService } from "./bench-service.ts";

const AUDIENCE = "soak";
const PARALLEL = 64;
/** Before the token that others are made of expires. */
const RENEWAL_MS = 120_000;

/**
 * Has so many distinct tokens made by ExchangeToken, and each checked by ValidateToken.
 *
 * @throws if one is not good.
 */
export async function checkTokens(service: BenchService, count: number): Promise<void> {
  const { client, user } = service;
  const identifier = { case: "email", value: user.email } as const;
  let left = count;
  while (left > 0) {
    const { result } = await client.auth.login({ identifier, password: user.password });
    if (result.case !== "session") throw new Error("the login did not start a Session");
    const key = result.value.tokens?.accessToken ?? "";
    const owner = createSignetClient({ url: service.url, key });
    const endMs = performance.now() + RENEWAL_MS;
    const check = async (): Promise<void> => {
      while (left > 0 && performance.now() < endMs) {
        left -= 1;
        const { accessToken: token } = await owner.auth.exchangeToken({ audience: AUDIENCE });
        const { result: checked } = await client.auth.validateToken({ token, audience: AUDIENCE });
        if (checked.case !== "valid") throw new Error(`a new token is ${checked.case}`);
      }
    };
    try {
      await Promise.all(Array.from({ length: PARALLEL }, check));
    } finally {
      owner.close();
    }
  }
}
