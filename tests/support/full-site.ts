import { randomUUID } from "node:crypto";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { MailKind, MfaPolicy } from "../../gen/signet/v1/site_pb.ts";
import { challengeOf, signUpWithFactor } from "./authenticator.ts";
import { type Clients, signUp, type TestSite, uniqueEmail } from "./builders.ts";
import { mirrorReport } from "./mirror-reports.ts";

/** Who is there on every Site that {@link fillSite} has filled, under the same names. */
export const NAMESAKE = {
  id: randomUUID(),
  email: uniqueEmail(),
  username: `ada-${randomUUID().slice(0, 8)}`,
  externalId: `crm-${randomUUID().slice(0, 8)}`,
} as const;

const { RETURN_TOKEN: delivery } = Delivery;

/** Goes through the flows that write into the tables of a Site, so that each has a row. */
export async function fillSite(
  { backend }: TestSite,
  asUser: (accessToken: string) => Clients,
): Promise<void> {
  const { auth, users, sync, sites } = backend;
  await users.createUser({ ...NAMESAKE, roles: ["admin", "user"], displayName: "Ada" });
  const person = await signUp(backend);
  const identifier = { case: "email", value: person.email } as const;
  await auth.requestPasswordReset({ identifier, delivery });
  await auth.requestEmailChange({ userId: person.userId, newEmail: uniqueEmail(), delivery });
  await auth.requestPasswordReset({ identifier });
  await auth.login({ identifier, password: "wrong" }).catch(() => undefined);
  await auth.logout({ refreshToken: person.refreshToken });
  await challengeOf(backend, await signUpWithFactor(backend, asUser));
  await sync.reportMirror(mirrorReport());
  const kind = MailKind.VERIFY_EMAIL;
  const words = { subject: "Hello", opening: "Welcome.", button: "Go on", closing: "Bye." };
  await sites.setMailTemplate({ template: { kind, locale: "en", ...words } });
  await sites.updateSite({ name: "Filled", mfaPolicy: MfaPolicy.OPTIONAL });
}
