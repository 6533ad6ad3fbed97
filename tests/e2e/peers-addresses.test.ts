import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { refusal, unique, uniqueEmail } from "../support/builders.ts";
import { logInAt, type OwnSignet, openOwnSignet, peerEntry } from "../support/peered-sites.ts";
import { until } from "../support/waiting.ts";

/** B follows A, but takes no word of A's on who has verified an address. */
let a: OwnSignet;
let b: OwnSignet;

beforeAll(async () => {
  [a, b] = await Promise.all([openOwnSignet(), openOwnSignet()]);
  const key = await a.peerKey([Scope.PEER, Scope.SYNC]);
  const fields = { user_fields: ["email", "username", "display_name"], sync: true };
  await b.restart([await peerEntry(b, a, { key, ...fields })]);
}, 60_000);

afterAll(async () => {
  await Promise.all([a, b].map((signet) => signet[Symbol.asyncDispose]()));
});

describe("of a peer whose word on verified addresses is not taken, another address", () => {
  test("is not verified, though the one before was", async () => {
    const thief = await createAt(a);
    const copy = await until(() => findAt(thief.email));
    const password = unique("correct horse");
    await verifyHere(thief.email, password);
    await logInAt(b.backend, { email: thief.email, password });

    const victim = uniqueEmail();
    await a.backend.users.updateUser({ userId: thief.id, email: victim, emailVerified: true });

    expect(await until(() => findAt(victim))).toMatchObject({ id: copy.id, emailVerified: false });
    expect(await refusal(logInAt(b.backend, { email: victim, password }))).toMatchObject({
      reason: "EMAIL_UNVERIFIED",
    });
  });

  test("leaves the one that was verified here as it is, where something else changes", async () => {
    const ada = await createAt(a);
    const copy = await until(() => findAt(ada.email));
    await b.backend.users.updateUser({ userId: copy.id, emailVerified: true });

    await a.backend.users.updateUser({ userId: ada.id, displayName: "Ada L." });

    const changed = await until(async () => {
      const user = await findAt(ada.email);
      return user?.displayName === "Ada L." && user;
    });
    expect(changed).toMatchObject({ emailVerified: true });
  });
});

async function createAt({ backend }: OwnSignet) {
  const email = uniqueEmail();
  const { user } = await backend.users.createUser({ email, emailVerified: true });
  return { id: user?.id ?? "", email };
}

/** Proves the address at B with the token of a mail. */
async function verifyHere(email: string, password: string): Promise<void> {
  const request = { email, delivery: Delivery.RETURN_TOKEN };
  const { oneTimeToken } = await b.backend.auth.resendVerification(request);
  await b.backend.auth.verifyEmail({ token: oneTimeToken?.token ?? "", password });
}

async function findAt(email: string) {
  const ref = { case: "email", value: email } as const;
  return (await b.backend.users.lookupUser({ user: { ref } }).catch(() => undefined))?.user;
}
