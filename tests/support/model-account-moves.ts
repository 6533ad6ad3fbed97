import { expect } from "vitest";
import { Delivery, OneTimePurpose } from "../../gen/signet/v1/auth_service_pb.ts";
import {
  hasOther,
  type ModelLink,
  type ModelSite,
  type ModelUser,
  NOBODY,
  type World,
} from "./model-state.ts";
import { nameIn } from "./model-stream.ts";
import { addUser } from "./model-user-moves.ts";
import {
  alter,
  clientsAs,
  endSessions,
  expectVersion,
  judge,
  unless,
  type Verdict,
  voidLinks,
} from "./model-verdict.ts";

const delivery = Delivery.RETURN_TOKEN;

/** What a person brings to register; the empty text: nothing. */
export interface Registrant {
  readonly email: string;
  readonly password: string;
  readonly username: string;
  readonly displayName: string;
}

/** Registers a person; of an address that waits for verification the earlier words may go. */
export async function register(world: World, site: ModelSite, person: Registrant): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const { email, password } = person;
  const known = userOf(site, email);
  const waits = known?.state === "ACTIVE" && !known.emailVerified;
  const reasons = {
    SELF_REGISTRATION_OFF: !site.selfRegistration,
    PASSWORD_REJECTED: isRejected(site, password),
  };
  await judge(
    () => auth.register({ ...person, delivery }),
    unless(reasons, (told) => {
      if (known && !waits) {
        expect({ ...told, oneTimeToken: told.oneTimeToken?.token }).toMatchObject({
          userId: "",
          version: 0n,
          oneTimeToken: undefined,
        });
        return;
      }
      const user = known ?? addRegistered(site, person, { id: told.userId, version: told.version });
      if (known?.password && known.password !== password) forgetRegistrant(site, known);
      expectVersion(user, told);
      keepLink(site, user, "VERIFY_EMAIL", email, told.oneTimeToken?.token);
    }),
  );
}

/** Asks for another link to verify an address. */
export async function resendVerification(
  world: World,
  site: ModelSite,
  email: string,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const user = userOf(site, email);
  const waits = user?.state === "ACTIVE" && !user.emailVerified;
  await judge(
    () => auth.resendVerification({ email, delivery }),
    unless({}, ({ oneTimeToken }) => {
      expect(oneTimeToken !== undefined).toBe(waits);
      if (waits) keepLink(site, user, "VERIFY_EMAIL", email, oneTimeToken?.token);
    }),
  );
}

/** Verifies an address with a link, which may be any. */
export async function verifyEmail(
  world: World,
  site: ModelSite,
  link: ModelLink,
  { password, username }: Pick<Registrant, "password" | "username">,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const { user, text: token } = link;
  const good = isGoodHere(site, link, "VERIFY_EMAIL");
  const isOther = username !== "" && user.username !== "" && user.username !== username;
  const reasons = {
    ONE_TIME_TOKEN_INVALID: !good,
    PASSWORD_REJECTED: isRejected(site, password),
    INVALID_FIELD: good && (isOther || (user.password === "") === (password === "")),
    USERNAME_TAKEN: good && !isOther && hasOther(site, user, "username", username),
  };
  await judge(
    () => auth.verifyEmail({ token, password, username }),
    unless(reasons, (told) => {
      voidLinks(site, user, "VERIFY_EMAIL");
      const given = { ...(password && { password }), ...(username && { username }) };
      const kinds = password ? ["PASSWORD_CHANGED"] : [];
      alter(site, user, { emailVerified: true, ...given }, kinds);
      expectVersion(user, told);
    }),
  );
}

/** Accepts an invitation with a link, which may be any. */
export async function acceptInvitation(
  world: World,
  site: ModelSite,
  link: ModelLink,
  { password, username }: Pick<Registrant, "password" | "username">,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const { user, text: token } = link;
  const good = isGoodHere(site, link, "ACCEPT_INVITATION");
  const reasons = {
    ONE_TIME_TOKEN_INVALID: !good,
    PASSWORD_REJECTED: isRejected(site, password),
    USERNAME_TAKEN: good && hasOther(site, user, "username", username),
  };
  await judge(
    () => auth.acceptInvitation({ token, password, username }),
    unless(reasons, (told) => {
      voidLinks(site, user, "ACCEPT_INVITATION");
      const set = { state: "ACTIVE", emailVerified: true, password } as const;
      const kinds = ["INVITATION_ACCEPTED", "PASSWORD_CHANGED"];
      alter(site, user, { ...set, ...(username && { username }) }, kinds);
      expectVersion(user, told);
    }),
  );
}

/** Asks for a link to set a new password. */
export async function requestPasswordReset(
  world: World,
  site: ModelSite,
  email: string,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const user = userOf(site, email);
  const mayComeIn = user?.state === "ACTIVE";
  await judge(
    () => auth.requestPasswordReset({ identifier: { case: "email", value: email }, delivery }),
    unless({}, ({ oneTimeToken }) => {
      expect(oneTimeToken !== undefined).toBe(mayComeIn);
      if (mayComeIn) keepLink(site, user, "RESET_PASSWORD", email, oneTimeToken?.token);
    }),
  );
}

/** Sets a new password with a link, which may be any. */
export async function resetPassword(
  world: World,
  site: ModelSite,
  link: ModelLink,
  newPassword: string,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const { user, text: token } = link;
  const reasons = {
    ONE_TIME_TOKEN_INVALID: !isGoodHere(site, link, "RESET_PASSWORD"),
    PASSWORD_REJECTED: isRejected(site, newPassword),
  };
  await judge(
    () => auth.resetPassword({ token, newPassword }),
    unless(reasons, (told) => {
      voidLinks(site, user, "RESET_PASSWORD");
      endSessions(site, user);
      user.guesses = 0;
      alter(site, user, { emailVerified: true, password: newPassword }, ["PASSWORD_CHANGED"]);
      expectVersion(user, told);
    }),
  );
}

/** Asks for another address of a User; the id may be known at another Site alone, or at both. */
export async function requestEmailChange(
  world: World,
  site: ModelSite,
  { id: userId }: ModelUser,
  newEmail: string,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const user = site.users.find(({ id, state }) => id === userId && state !== "DELETED");
  const isFree = userOf(site, newEmail) === undefined;
  const reasons = {
    USER_NOT_FOUND: !user,
    USER_NOT_ACTIVE: user !== undefined && user.state !== "ACTIVE",
    INVALID_FIELD: user?.state === "ACTIVE" && user.email === newEmail,
  };
  await judge(
    () => auth.requestEmailChange({ userId, newEmail, delivery }),
    unless(reasons, ({ oneTimeToken }) => {
      if (!user) return;
      voidLinks(site, user, "CONFIRM_EMAIL_CHANGE");
      expect(oneTimeToken !== undefined).toBe(isFree);
      if (isFree) keepLink(site, user, "CONFIRM_EMAIL_CHANGE", newEmail, oneTimeToken?.token);
    }),
  );
}

/** Confirms another address with a link, which may be any. */
export async function confirmEmailChange(
  world: World,
  site: ModelSite,
  link: ModelLink,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const { text: token, user, email } = link;
  const good = isGoodHere(site, link, "CONFIRM_EMAIL_CHANGE");
  const reasons = {
    ONE_TIME_TOKEN_INVALID: !good,
    EMAIL_TAKEN: good && hasOther(site, user, "email", email),
  };
  await judge(
    () => auth.confirmEmailChange({ token }),
    unless(reasons, (told) => {
      voidLinks(site, user);
      alter(site, user, { email, emailVerified: true });
      expectVersion(user, told);
    }),
  );
}

/** Asks what a link is for. */
export async function checkLink(world: World, site: ModelSite, link: ModelLink): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const { user, text: token, email, purpose } = link;
  const verdict: Verdict<Awaited<ReturnType<typeof auth.checkOneTimeToken>>> = unless(
    { ONE_TIME_TOKEN_INVALID: !isGoodHere(site, link, purpose) },
    (told) => {
      expect({ ...told, purpose: nameIn(OneTimePurpose, told.purpose) }).toMatchObject({
        purpose,
        email,
        username: user.username,
      });
    },
  );
  await judge(() => auth.checkOneTimeToken({ token }), verdict);
}

/** Names of everybody's address, and of a Site that is called `Another`. */
export const PASSWORD_OF_NAMES = "person-1 another example";

/** Tells whether a Site refuses a password; the empty text is none. */
export function isRejected({ name, passwordLengthMin }: ModelSite, password: string): boolean {
  if (name === "Another" && password === PASSWORD_OF_NAMES) return true;
  return password !== "" && [...password].length < passwordLengthMin;
}

/** Finds who has an address. */
function userOf({ users }: ModelSite, email: string): ModelUser | undefined {
  return users.find((user) => user.email === email && user.state !== "DELETED");
}

/** A link counts at its Site, for its purpose, and for the state and address it was made for. */
function isGoodHere(site: ModelSite, link: ModelLink, purpose: ModelLink["purpose"]): boolean {
  const { user, good, email } = link;
  if (!good || link.purpose !== purpose || !site.links.some(({ text }) => text === link.text)) {
    return false;
  }
  const state = purpose === "ACCEPT_INVITATION" ? "INVITED" : "ACTIVE";
  return user.state === state && (purpose === "CONFIRM_EMAIL_CHANGE" || user.email === email);
}

function addRegistered(
  site: ModelSite,
  { email, password, username, displayName }: Registrant,
  told: { readonly id: string; readonly version: bigint },
): ModelUser {
  const free = hasOther(site, undefined, "username", username) ? "" : username;
  const fields = { ...NOBODY, email, username: free, displayName };
  return addUser(site, fields, told, { state: "ACTIVE", password });
}

/** Two people claim an address: nothing that the first has set is kept. */
function forgetRegistrant(site: ModelSite, user: ModelUser): void {
  alter(site, user, { password: "", username: "", displayName: "" }, ["PASSWORD_CHANGED"]);
}

function keepLink(
  site: ModelSite,
  user: ModelUser,
  purpose: ModelLink["purpose"],
  email: string,
  text: string | undefined,
): void {
  expect(text).toBeTruthy();
  site.links.push({ text: text ?? "", purpose, user, email, good: true });
}
