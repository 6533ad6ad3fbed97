import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { type Act, USERS } from "./act.ts";
import { type Clients, type SignedIn, signUp, unique, uniqueEmail } from "./builders.ts";

/** The acts by which an account comes to be, and gets another password or address. */
export const ACCOUNT_ACTS: readonly Act[] = [
  {
    rpc: "register",
    kinds: ["user.registered"],
    actor: "backend",
    beside: "signet.one_time_tokens",
    perform: ({ backend }) => register(backend),
  },
  {
    rpc: "register",
    kinds: ["user.registered_again"],
    actor: "backend",
    beside: "signet.one_time_tokens",
    async perform({ backend }) {
      const { userId, email } = await register(backend);
      await backend.auth.register({ email, delivery: Delivery.RETURN_TOKEN });
      return { userId };
    },
  },
  {
    rpc: "acceptInvitation",
    kinds: ["user.invitation_accepted"],
    actor: "backend",
    beside: USERS,
    async perform({ backend }) {
      const { user, oneTimeToken } = await backend.users.inviteUser({
        email: uniqueEmail(),
        delivery: Delivery.RETURN_TOKEN,
      });
      const token = oneTimeToken?.token ?? "";
      await backend.auth.acceptInvitation({ token, password: unique("a password of mine") });
      return { userId: user?.id ?? "" };
    },
  },
  {
    rpc: "verifyEmail",
    kinds: ["user.email_verified"],
    actor: "backend",
    beside: USERS,
    async perform({ backend }) {
      const { userId, token } = await register(backend);
      await backend.auth.verifyEmail({ token });
      return { userId };
    },
  },
  {
    rpc: "resendVerification",
    kinds: ["user.verification_requested"],
    actor: "backend",
    beside: "signet.one_time_tokens",
    async perform({ backend }) {
      const { userId, email } = await register(backend);
      await backend.auth.resendVerification({ email, delivery: Delivery.RETURN_TOKEN });
      return { userId };
    },
  },
  {
    rpc: "requestPasswordReset",
    kinds: ["user.password_reset_requested"],
    actor: "backend",
    beside: "signet.one_time_tokens",
    async perform({ backend }) {
      const person = await signUp(backend);
      await resetToken(backend, person);
      return person;
    },
  },
  {
    rpc: "resetPassword",
    kinds: ["user.password_reset"],
    actor: "backend",
    beside: USERS,
    async perform({ backend }) {
      const person = await signUp(backend);
      const token = await resetToken(backend, person);
      await backend.auth.resetPassword({ token, newPassword: unique("a new password") });
      return person;
    },
  },
  {
    rpc: "requestEmailChange",
    kinds: ["user.email_change_requested"],
    actor: "backend",
    beside: "signet.email_changes",
    async perform({ backend }) {
      const { userId } = await signUp(backend);
      await emailChangeToken(backend, userId);
      return { userId };
    },
  },
  {
    rpc: "confirmEmailChange",
    kinds: ["user.email_changed"],
    actor: "backend",
    beside: USERS,
    async perform({ backend }) {
      const { userId } = await signUp(backend);
      await backend.auth.confirmEmailChange({ token: await emailChangeToken(backend, userId) });
      return { userId };
    },
  },
];

async function register({ auth }: Clients) {
  const email = uniqueEmail();
  const password = unique("correct horse");
  const delivery = Delivery.RETURN_TOKEN;
  const { userId, oneTimeToken } = await auth.register({ email, password, delivery });
  return { userId, email, token: oneTimeToken?.token ?? "" };
}

async function resetToken({ auth }: Clients, { email }: Pick<SignedIn, "email">): Promise<string> {
  const { oneTimeToken } = await auth.requestPasswordReset({
    identifier: { case: "email", value: email },
    delivery: Delivery.RETURN_TOKEN,
  });
  return oneTimeToken?.token ?? "";
}

async function emailChangeToken({ auth }: Clients, userId: string): Promise<string> {
  const { oneTimeToken } = await auth.requestEmailChange({
    userId,
    newEmail: uniqueEmail(),
    delivery: Delivery.RETURN_TOKEN,
  });
  return oneTimeToken?.token ?? "";
}
