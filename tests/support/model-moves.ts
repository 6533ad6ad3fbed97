import fc from "fast-check";
import * as account from "./model-account-moves.ts";
import {
  actor,
  anyNumber,
  everySession,
  everyUser,
  type Move,
  move,
  often,
  staleBy,
  withAccessToken,
  withLink,
  withRefreshToken,
  withUser,
} from "./model-draw.ts";
import * as logins from "./model-login-moves.ts";
import * as sessions from "./model-session-moves.ts";
import { keyMoves, siteMoves } from "./model-site-draws.ts";
import {
  type Actor,
  hasOther,
  type ModelLink,
  type ModelSite,
  type ModelUser,
  type NewUser,
  pick,
  type World,
} from "./model-state.ts";
import * as users from "./model-user-moves.ts";

const USERS_MAX = 6;
const GUESSES_AT_ONCE = 7;

const LONG = "rather more than twenty letters";

const email = fc.nat(4).map((n) => `person-${n}@example.com`);
const username = fc.constantFrom("", "ada", "bob", "cyd");
const displayName = fc.constantFrom("", "Ada", "Bob");
const externalId = fc.constantFrom("", "x-1", "x-2");
const roles = fc.constantFrom<readonly string[]>(["user"], ["admin", "user"], ["editor", "user"]);
/** The first is too short for a Site that wants 20 characters. */
const password = fc.constantFrom("fifteen letters", LONG, account.PASSWORD_OF_NAMES);
const anyPassword = fc.oneof({ weight: 6, arbitrary: password }, fc.constantFrom("", "short"));
/** Whether what is right is given, and nothing that chance has drawn. */
const isRight = fc.constantFrom(true, true, true, true, false);
const token = fc.record({ n: anyNumber, back: fc.nat(2) });
const subject = fc.record({ n: anyNumber, as: actor });
const newUser: fc.Arbitrary<NewUser> = fc.record({
  email,
  emailVerified: fc.boolean(),
  username,
  displayName,
  externalId,
  roles,
  deletionProtected: fc.constantFrom(false, false, false, true),
});
const userFields = fc.record(
  {
    email,
    emailVerified: fc.boolean(),
    username,
    displayName,
    externalId,
    roles: fc.oneof(roles, fc.constant([])),
    deletionProtected: fc.constantFrom(false, false, true),
  },
  { requiredKeys: [] },
);

/** All moves, those more often that lead further. */
export const MOVES: readonly fc.Arbitrary<Move>[] = [
  ...newcomerMoves(),
  ...userMoves(),
  ...linkMoves(),
  ...sessionMoves(),
  ...accessTokenMoves(),
  ...siteMoves(),
  ...keyMoves(),
];

function newcomerMoves(): fc.Arbitrary<Move>[] {
  const creation = fc.record({ fields: newUser, as: actor, repeat: fc.option(anyNumber) });
  const person = fc.record({ email, password: anyPassword, username, displayName });
  const hasRoom = (site: ModelSite) => site.users.length < USERS_MAX;
  return [
    move("createUser", creation, (world, site, { fields, as, repeat }) => {
      // The id of a User of any Site, since the same may be one here too.
      const repeated = repeat === null ? undefined : pick(everyUser(world), repeat);
      return hasRoom(site) ? () => users.createUser(world, site, as, fields, repeated) : undefined;
    }),
    move("inviteUser", newUser, (world, site, fields) =>
      hasRoom(site) ? () => users.inviteUser(world, site, fields) : undefined,
    ),
    ...often(
      2,
      move("register", person, (world, site, who) =>
        hasRoom(site) ? () => account.register(world, site, who) : undefined,
      ),
    ),
  ];
}

function userMoves(): fc.Arbitrary<Move>[] {
  const update = fc.record({ n: anyNumber, as: actor, staleBy, fields: userFields });
  const deletion = fc.record({ n: anyNumber, as: actor, staleBy });
  return [
    ...often(
      3,
      move("updateUser", update, (world, site, { n, as, ...change }) =>
        withUser(site, n, (user) => users.updateUser(world, site, as, user, change)),
      ),
    ),
    move("disableUser", subject, (world, site, { n, as }) =>
      withUser(site, n, (user) => users.setDisabled(world, site, as, user, true)),
    ),
    ...often(
      2,
      move("enableUser", subject, (world, site, { n, as }) =>
        withUser(site, n, (user) => users.setDisabled(world, site, as, user, false)),
      ),
    ),
    move("unlockUser", subject, (world, site, { n, as }) =>
      withUser(site, n, (user) => users.unlockUser(world, site, as, user)),
    ),
    move("deleteUser", deletion, (world, site, { n, as, staleBy: stale }) =>
      withUser(site, n, (user) => users.deleteUser(world, site, as, user, stale)),
    ),
  ];
}

function linkMoves(): fc.Arbitrary<Move>[] {
  const words = fc.record({ password: anyPassword, username });
  const use = fc.record({ n: anyNumber, words, isRight });
  const change = fc.record({ n: anyNumber, newEmail: email });
  return [
    move(
      "resendVerification",
      email,
      (world, site, address) => () => account.resendVerification(world, site, address),
    ),
    move(
      "requestPasswordReset",
      email,
      (world, site, address) => () => account.requestPasswordReset(world, site, address),
    ),
    move("requestEmailChange", change, (world, site, { n, newEmail }) => {
      const user = pick(everyUser(world), n);
      return user && (() => account.requestEmailChange(world, site, user, newEmail));
    }),
    ...often(
      4,
      move("useLink", use, (world, site, { n, words: drawn, isRight: knows }) =>
        withLink(world, site, n, (link) =>
          useLink(world, site, link, knows ? wordsFor(site, link) : drawn),
        ),
      ),
    ),
    move("abuseLink", use, (world, site, { n, words: drawn }) =>
      withLink(world, site, n, (link) =>
        link.purpose === "RESET_PASSWORD"
          ? account.verifyEmail(world, site, link, drawn)
          : account.resetPassword(world, site, link, LONG),
      ),
    ),
    move("checkLink", anyNumber, (world, site, n) =>
      withLink(world, site, n, (link) => account.checkLink(world, site, link)),
    ),
  ];
}

function sessionMoves(): fc.Arbitrary<Move>[] {
  const claim = fc.record({ n: anyNumber, by: fc.constantFrom("email", "username"), isRight });
  const end = fc.record({ n: anyNumber, as: fc.constantFrom<Actor>("backend", "operator") });
  return [
    ...often(
      5,
      move("login", claim, (world, site, { n, by, isRight: knows }) =>
        withUser(site, n, (user) => {
          const named = by === "username" && user.username !== "" ? "username" : "email";
          const name = user[named] || "nobody@example.com";
          const tried = passwordOf(user, knows);
          return logins.login(world, site, { by: named, name, password: tried });
        }),
      ),
    ),
    move("guessAtOnce", anyNumber, (world, site, n) =>
      withUser(site, n, (user) => logins.guessAtOnce(world, site, user, GUESSES_AT_ONCE)),
    ),
    ...often(
      4,
      move("refresh", token, (world, site, drawn) =>
        withRefreshToken(world, drawn, (session, each) =>
          sessions.refresh(world, site, session, each),
        ),
      ),
    ),
    move("replay", token, (world, site, drawn) =>
      withRefreshToken(world, drawn, (session) => sessions.replay(world, site, session)),
    ),
    move("logoutByRefreshToken", token, (world, site, drawn) =>
      withRefreshToken(world, drawn, (session, each) =>
        sessions.logoutByRefreshToken(world, site, session, each),
      ),
    ),
    move("revokeSession", end, (world, site, { n, as }) => {
      const session = pick(everySession(world), n);
      return session && (() => sessions.revokeSession(world, site, as, session));
    }),
    move("revokeAll", subject, (world, site, { n, as }) =>
      withUser(site, n, (user) => sessions.revokeAll(world, site, as, user)),
    ),
  ];
}

function accessTokenMoves(): fc.Arbitrary<Move>[] {
  const change = fc.record({ drawn: token, isRight, next: password });
  const exchange = fc.record({ drawn: token, audience: fc.constantFrom("billing", "shop") });
  return [
    move("logout", token, (world, site, drawn) =>
      withAccessToken(site, drawn, (session, each) =>
        sessions.logoutByAccessToken(world, session, each),
      ),
    ),
    move("revokeSessionAsUser", fc.tuple(token, anyNumber), (world, site, [drawn, n]) =>
      withAccessToken(site, drawn, async (own, each) => {
        const session = pick(everySession(world), n) ?? own;
        await sessions.revokeSessionAsUser(world, site, [own, each], session);
      }),
    ),
    move("revokeOthers", token, (world, site, drawn) =>
      withAccessToken(site, drawn, (session, each) =>
        sessions.revokeOthers(world, site, session, each),
      ),
    ),
    ...often(
      2,
      move("changePassword", change, (world, site, { drawn, isRight: knows, next }) =>
        withAccessToken(site, drawn, (session, each) => {
          const current = passwordOf(session.user, knows);
          return logins.changePassword(world, site, [session, each], [current, next]);
        }),
      ),
    ),
    ...often(
      2,
      move("exchangeToken", exchange, (world, site, { drawn, audience }) =>
        withAccessToken(site, drawn, (session, each) =>
          sessions.exchangeToken(world, session, each, audience),
        ),
      ),
    ),
  ];
}

type Words = Pick<account.Registrant, "password" | "username">;

function useLink(world: World, site: ModelSite, link: ModelLink, words: Words): Promise<void> {
  // Only VerifyEmail may do without a password.
  const some = { ...words, password: words.password || "short" };
  switch (link.purpose) {
    case "VERIFY_EMAIL":
      return account.verifyEmail(world, site, link, words);
    case "ACCEPT_INVITATION":
      return account.acceptInvitation(world, site, link, some);
    case "RESET_PASSWORD":
      return account.resetPassword(world, site, link, some.password);
    case "CONFIRM_EMAIL_CHANGE":
      return account.confirmEmailChange(world, site, link);
  }
}

/** What goes well with a link, as far as words decide. */
function wordsFor(site: ModelSite, { purpose, user }: ModelLink): Words {
  const needsNone = purpose === "VERIFY_EMAIL" && user.password !== "";
  const isFree = user.username === "" && !hasOther(site, user, "username", "dora");
  return { password: needsNone ? "" : LONG, username: isFree ? "dora" : "" };
}

function passwordOf({ password: own }: ModelUser, knows: boolean): string {
  return knows && own !== "" ? own : "not the password";
}
