import { setTimeout as sleep } from "node:timers/promises";
import { type Clients, patiently, refusalOf, type SignedIn } from "./builders.ts";
import { runAsAdmin } from "./database.ts";

/** Signs in, by default with the right password, as often as the service is too busy for it. */
export function logInWith(
  { auth }: Pick<Clients, "auth">,
  { email, password }: Pick<SignedIn, "email" | "password">,
  attempt = password,
  deviceToken = "",
) {
  const identifier = { case: "email", value: email } as const;
  const client = deviceToken === "" ? {} : { client: { deviceToken } };
  return patiently(() => auth.login({ identifier, password: attempt, ...client }));
}

/** Returns the reason of a refusal; empty: there was none. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "",
    (error: unknown) => refusalOf(error).reason,
  );
}

/** Returns what came of a call in the end, however often a busy service refuses it. */
export async function untilAnswered(call: () => Promise<unknown>): Promise<string> {
  for (;;) {
    const reason = await outcome(call());
    if (reason !== "OVERLOADED" && reason !== "UNAVAILABLE") return reason;
    await sleep(500 * (1 + Math.random()));
  }
}

/** Counts what is kept of the guesses at an account: `failed` were checked, and wrong. */
export async function attemptsAt(
  adminUrl: string,
  { userId }: Pick<SignedIn, "userId">,
): Promise<Record<string, number>> {
  const rows = await runAsAdmin<{ outcome: string; count: string }>(
    adminUrl,
    `select outcome, count(*) from signet.login_attempts
      where user_id = '${userId}' group by outcome`,
  );
  return Object.fromEntries(rows.map((row) => [row.outcome, Number(row.count)]));
}
