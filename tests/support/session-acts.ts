import { type Act, type Actors, USERS } from "./act.ts";
import { challengeOf, codeAt, signUpWithFactor } from "./authenticator.ts";
import { type Clients, type SignedIn, signUp, unique } from "./builders.ts";

const SESSIONS = "signet.sessions";

/** The acts of logins, Sessions and second factors. */
export const SESSION_ACTS: readonly Act[] = [
  {
    rpc: "login",
    kinds: ["session.started"],
    actor: "backend",
    beside: SESSIONS,
    perform: ({ backend }) => signUp(backend),
  },
  {
    rpc: "login",
    kinds: ["login.challenged"],
    actor: "backend",
    beside: "signet.login_challenges",
    async perform({ backend, asUser }) {
      const person = await signUpWithFactor(backend, asUser);
      await challengeOf(backend, person);
      return person;
    },
  },
  {
    rpc: "login",
    kinds: ["login.failed"],
    actor: "backend",
    beside: "(select account_id as user_id, xmin from signet.guess_counts)",
    async perform({ backend }) {
      const person = await signUp(backend);
      const identifier = { case: "email", value: person.email } as const;
      await backend.auth.login({ identifier, password: "wrong password" }).catch(() => undefined);
      return person;
    },
  },
  {
    rpc: "completeMfa",
    kinds: ["session.started"],
    actor: "backend",
    beside: SESSIONS,
    async perform({ backend, asUser }) {
      const person = await signUpWithFactor(backend, asUser);
      const challengeToken = await challengeOf(backend, person);
      const code = { case: "totpCode", value: codeAt(person.secret, 1) } as const;
      await backend.auth.completeMfa({ challengeToken, code });
      return person;
    },
  },
  {
    rpc: "reauthenticate",
    kinds: ["session.reauthenticated"],
    actor: "user",
    beside: SESSIONS,
    perform: (world) =>
      asPerson(world, ({ auth: own }, { password }) => own.reauthenticate({ password })),
  },
  {
    rpc: "refreshToken",
    kinds: ["refresh_token.reused"],
    actor: "backend",
    beside: SESSIONS,
    async perform({ backend }) {
      const person = await signUp(backend);
      const { refreshToken } = person;
      const { tokens } = await backend.auth.refreshToken({ refreshToken });
      await backend.auth.refreshToken({ refreshToken: tokens?.refreshToken ?? "" });
      await backend.auth.refreshToken({ refreshToken }).catch(() => undefined);
      return person;
    },
  },
  {
    rpc: "logout",
    kinds: ["session.ended"],
    actor: "user",
    beside: SESSIONS,
    perform: (world) => asPerson(world, ({ auth: own }) => own.logout({})),
  },
  {
    rpc: "revokeSession",
    kinds: ["session.revoked"],
    actor: "user",
    beside: SESSIONS,
    perform: (world) =>
      asPerson(world, ({ auth: own }, { sessionId }) => own.revokeSession({ sessionId })),
  },
  {
    rpc: "revokeAllSessions",
    kinds: ["session.all_revoked"],
    actor: "user",
    beside: SESSIONS,
    perform: (world) => asPerson(world, ({ auth: own }) => own.revokeAllSessions({})),
  },
  {
    rpc: "changePassword",
    kinds: ["user.password_changed"],
    actor: "user",
    beside: USERS,
    perform: (world) =>
      asPerson(world, ({ auth: own }, { password: currentPassword }) =>
        own.changePassword({ currentPassword, newPassword: unique("a new password") }),
      ),
  },
  {
    rpc: "enrollTotp",
    kinds: ["user.mfa_enrollment_started"],
    actor: "user",
    beside: "signet.totp_factors",
    perform: (world) => asPerson(world, ({ auth: own }) => own.enrollTotp({})),
  },
  {
    rpc: "confirmTotp",
    kinds: ["user.mfa_enrolled"],
    actor: "user",
    beside: USERS,
    perform: ({ backend, asUser }) => signUpWithFactor(backend, asUser),
  },
  {
    rpc: "disableTotp",
    kinds: ["user.mfa_disabled"],
    actor: "user",
    beside: USERS,
    perform: (world) => asEnrolled(world, ({ auth: own }) => own.disableTotp({})),
  },
  {
    rpc: "regenerateRecoveryCodes",
    kinds: ["user.recovery_codes_renewed"],
    actor: "user",
    beside: "signet.recovery_codes",
    perform: (world) => asEnrolled(world, ({ auth: own }) => own.regenerateRecoveryCodes({})),
  },
];

async function asPerson(
  { backend, asUser }: Actors,
  act: (own: Clients, person: SignedIn) => Promise<unknown>,
) {
  const person = await signUp(backend);
  await act(asUser(person.accessToken), person);
  return person;
}

/** The tokens from before the enrolment are void, so it signs in once more. */
async function asEnrolled({ backend, asUser }: Actors, act: (own: Clients) => Promise<unknown>) {
  const person = await signUpWithFactor(backend, asUser);
  const challengeToken = await challengeOf(backend, person);
  const code = { case: "recoveryCode", value: person.recoveryCodes[0] ?? "" } as const;
  const { session } = await backend.auth.completeMfa({ challengeToken, code });
  await act(asUser(session?.tokens?.accessToken ?? ""));
  return person;
}
