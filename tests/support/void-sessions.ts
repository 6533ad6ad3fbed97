import { expect } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { type Clients, refusal, type SignedIn, unique } from "./builders.ts";
import { inParallel } from "./site-on-two-processes.ts";
import { until } from "./waiting.ts";

const INVALID = { code: "Unauthenticated", reason: "REFRESH_TOKEN_INVALID" };
const PATIENCE_MS = 60_000;

/**
 * Expects that no token of these is good at either process. How soon is tested elsewhere, on a
 * machine that has the time; here it counts that all are void.
 */
export async function expectAllVoid(
  backends: readonly Clients[],
  given: readonly Pick<SignedIn, "accessToken" | "refreshToken">[],
): Promise<void> {
  expect(given.length).toBeGreaterThan(0);
  for (const backend of backends) {
    await until(async () => {
      const answers = await inParallel(given, 8, ({ accessToken: token }) =>
        backend.auth.validateToken({ token }),
      );
      return answers.every(({ result }) => result.case === "invalid");
    }, PATIENCE_MS);
    const tokens = new Set(given.map(({ refreshToken }) => refreshToken));
    const refusals = await inParallel([...tokens], 8, (refreshToken) =>
      refusal(backend.auth.refreshToken({ refreshToken })),
    );
    for (const refused of refusals) expect(refused).toMatchObject(INVALID);
  }
}

/** Resets a password, by the token that a mail would bring. */
export async function resetPassword({ auth }: Clients, email: string): Promise<void> {
  const identifier = { case: "email", value: email } as const;
  const delivery = Delivery.RETURN_TOKEN;
  const { oneTimeToken } = await auth.requestPasswordReset({ identifier, delivery });
  await auth.resetPassword({ token: oneTimeToken?.token ?? "", newPassword: unique("new horse") });
}
