import { generateSync } from "otplib";
import { type Clients, type SignedIn, signUp } from "./builders.ts";

/** A person with a second factor. */
export interface Enrolled extends SignedIn {
  /** Of the authenticator. */
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
}

const STEP_SECONDS = 30;

/** Shows the code of an authenticator (RFC 6238), now or some steps of 30 s ahead. */
export function codeAt(secret: string, stepsAhead = 0): string {
  const now = Math.floor(Date.now() / 1_000);
  return generateSync({ secret, epoch: now + STEP_SECONDS * stepsAhead });
}

/** Signs a person up and enrols an authenticator; its step of now is used by that. */
export async function signUpWithFactor(
  backend: Clients,
  asUser: (accessToken: string) => Clients,
): Promise<Enrolled> {
  const person = await signUp(backend);
  const { auth } = asUser(person.accessToken);
  const { secret } = await auth.enrollTotp({});
  const { recoveryCodes } = await auth.confirmTotp({ totpCode: codeAt(secret) });
  return { ...person, secret, recoveryCodes };
}

/** Signs in with the password alone, and returns the challenge. */
export async function challengeOf(
  { auth }: Clients,
  { email, password }: Pick<SignedIn, "email" | "password">,
): Promise<string> {
  const identifier = { case: "email", value: email } as const;
  const { result } = await auth.login({ identifier, password });
  if (result.case === "mfaChallenge") return result.value.challengeToken;
  throw new Error(`the login answered with ${result.case}`);
}
