import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import type { Actor, ModelSite, ModelUser, NewUser, World } from "./model-state.ts";
import { hasOther, NOBODY } from "./model-state.ts";
import {
  alter,
  clientsAs,
  endSessions,
  expectUser,
  isLastAdmin,
  judge,
  unless,
  voidLinks,
} from "./model-verdict.ts";

/** Creates a User; `repeated` is one whose id the call brings. */
export async function createUser(
  world: World,
  site: ModelSite,
  actor: Actor,
  fields: NewUser,
  repeated: ModelUser | undefined,
): Promise<void> {
  const { users, siteId } = clientsAs(world, site, actor);
  const own = site.users.find(({ id }) => id === repeated?.id);
  const isRepeat = own !== undefined && own.state !== "DELETED" && own.email === fields.email;
  const reasons = {
    ACCESS_DENIED: becomesAdminBy(actor, fields),
    ID_TAKEN: own !== undefined && !isRepeat,
    ...takenBy(site, isRepeat ? own : undefined, isRepeat ? {} : fields),
  };
  await judge(
    () => users.createUser({ ...fields, roles: [...fields.roles], siteId, id: repeated?.id ?? "" }),
    unless(reasons, ({ user: told }) => {
      const user = own ?? addUser(site, fields, told, { state: "ACTIVE" });
      expectUser(user, told);
    }),
  );
}

/** Invites a person, and keeps the token of the link. */
export async function inviteUser(world: World, site: ModelSite, fields: NewUser): Promise<void> {
  const { users } = clientsAs(world, site, "backend");
  const { email, username, displayName, externalId } = fields;
  const roles = [...fields.roles];
  const known = site.users.find((user) => user.email === email && user.state !== "DELETED");
  const reasons = {
    ...takenBy(site, known, { username, externalId }),
    EMAIL_TAKEN: known !== undefined && known.state !== "INVITED",
  };
  const request = { email, username, displayName, externalId, roles };
  await judge(
    () => users.inviteUser({ ...request, delivery: Delivery.RETURN_TOKEN }),
    unless(reasons, ({ user: told, oneTimeToken }) => {
      const user = known ?? addUser(site, { ...NOBODY, ...request }, told, { state: "INVITED" });
      if (known) {
        voidLinks(site, user, "ACCEPT_INVITATION");
        const given = Object.entries({ username, displayName, externalId, roles });
        const present = given.filter(([, value]) => value.length > 0);
        applyUpdate(site, user, Object.fromEntries(present));
      }
      expectUser(user, told);
      const text = oneTimeToken?.token ?? "";
      site.links.push({ text, purpose: "ACCEPT_INVITATION", user, email, good: true });
    }),
  );
}

/** Changes some fields of a User, for a version or for any. */
export async function updateUser(
  world: World,
  site: ModelSite,
  actor: Actor,
  user: ModelUser,
  { fields, staleBy }: { readonly fields: Partial<NewUser>; readonly staleBy: number | undefined },
): Promise<void> {
  const { users, siteId } = clientsAs(world, site, actor);
  const { roles, ...others } = fields;
  const expectedVersion = staleBy === undefined ? undefined : BigInt(user.version - staleBy);
  const changes = { ...others, ...(roles && { roles: { roles: [...roles] } }) };
  const exists = user.state !== "DELETED";
  const after = withUnverified(user, fields);
  const reasons = {
    USER_NOT_FOUND: !exists,
    VERSION_MISMATCH: exists && (staleBy ?? 0) !== 0,
    ACCESS_DENIED: exists && escalates(actor, user, after),
    LAST_ADMIN: exists && isLastAdmin(site, user) && roles?.includes("admin") === false,
    ...(exists && takenBy(site, user, fields)),
  };
  const version = expectedVersion === undefined ? {} : { expectedVersion };
  await judge(
    () => users.updateUser({ siteId, userId: user.id, ...changes, ...version }),
    unless(reasons, ({ user: told }) => {
      applyUpdate(site, user, fields);
      expectUser(user, told);
    }),
  );
}

/** Keeps a User from signing in, or takes that back. */
export async function setDisabled(
  world: World,
  site: ModelSite,
  actor: Actor,
  user: ModelUser,
  disabled: boolean,
): Promise<void> {
  const { users, siteId } = clientsAs(world, site, actor);
  const request = { siteId, userId: user.id };
  const reasons = {
    ...subjectReasons(actor, user),
    LAST_ADMIN: disabled && isLastAdmin(site, user),
  };
  await judge(
    async () => (await (disabled ? users.disableUser(request) : users.enableUser(request))).user,
    unless(reasons, (told) => {
      if (disabled && user.state !== "DISABLED") {
        user.stateBefore = user.state;
        endSessions(site, user);
        voidLinks(site, user);
        alter(site, user, { state: "DISABLED" }, ["DISABLED"]);
      } else if (!disabled && user.state === "DISABLED") {
        alter(site, user, { state: user.stateBefore }, ["ENABLED"]);
      }
      expectUser(user, told);
    }),
  );
}

/** Forgets the guesses at an account. */
export async function unlockUser(
  world: World,
  site: ModelSite,
  actor: Actor,
  user: ModelUser,
): Promise<void> {
  const { users, siteId } = clientsAs(world, site, actor);
  await judge(
    () => users.unlockUser({ siteId, userId: user.id }),
    unless(subjectReasons(actor, user), ({ user: told }) => {
      user.guesses = 0;
      expectUser(user, told);
    }),
  );
}

/** Deletes a User for good. */
export async function deleteUser(
  world: World,
  site: ModelSite,
  actor: Actor,
  user: ModelUser,
  staleBy: number | undefined,
): Promise<void> {
  const { users, siteId } = clientsAs(world, site, actor);
  const version = staleBy === undefined ? {} : { expectedVersion: BigInt(user.version - staleBy) };
  const exists = user.state !== "DELETED";
  const reasons = {
    ACCESS_DENIED: exists && isOutOfReach(actor, user),
    VERSION_MISMATCH: exists && (staleBy ?? 0) !== 0,
    DELETION_PROTECTED: exists && user.deletionProtected,
    LAST_ADMIN: isLastAdmin(site, user),
  };
  await judge(
    () => users.deleteUser({ siteId, userId: user.id, ...version }),
    unless(reasons, ({ user: told }) => {
      if (exists) {
        endSessions(site, user);
        voidLinks(site, user);
        alter(site, user, { state: "DELETED", password: "" }, ["DELETED"]);
      }
      expectUser(user, told);
    }),
  );
}

/** Adds a User that Signet has made, with the id and the version that only Signet knows. */
export function addUser(
  site: ModelSite,
  fields: NewUser,
  told: { readonly id: string; readonly version: bigint } | undefined,
  { state, password = "" }: { readonly state: "ACTIVE" | "INVITED"; readonly password?: string },
): ModelUser {
  const user: ModelUser = {
    ...fields,
    roles: fields.roles.length > 0 ? fields.roles : ["user"],
    id: told?.id ?? "",
    sessions: [],
    version: Number(told?.version) - 1,
    state,
    stateBefore: state,
    password,
    guesses: 0,
    generation: 0,
  };
  site.users.push(user);
  alter(site, user, {}, ["CREATED"]);
  return user;
}

/** Does what an update does; without a difference, nothing. */
function applyUpdate(site: ModelSite, user: ModelUser, fields: Partial<NewUser>): void {
  const after = withUnverified(user, fields);
  if (String(after.roles) !== String(user.roles)) user.generation += 1;
  if (after.email !== user.email) voidLinks(site, user);
  alter(site, user, after);
}

/** Another address counts as unverified unless the request says otherwise. */
function withUnverified(user: ModelUser, fields: Partial<NewUser>): NewUser {
  const isOther = fields.email !== undefined && fields.email !== user.email;
  const { email, emailVerified, username, displayName, externalId, roles } = user;
  const before = { email, emailVerified, username, displayName, externalId, roles };
  const { deletionProtected } = user;
  return { ...before, deletionProtected, ...(isOther && { emailVerified: false }), ...fields };
}

function takenBy(site: ModelSite, self: ModelUser | undefined, fields: Partial<NewUser>) {
  const { email = "", username = "", externalId = "" } = fields;
  return {
    EMAIL_TAKEN: hasOther(site, self, "email", email),
    USERNAME_TAKEN: hasOther(site, self, "username", username),
    EXTERNAL_ID_TAKEN: hasOther(site, self, "externalId", externalId),
  };
}

function subjectReasons(actor: Actor, user: ModelUser) {
  const exists = user.state !== "DELETED";
  return { USER_NOT_FOUND: !exists, ACCESS_DENIED: exists && isOutOfReach(actor, user) };
}

/** Without `site.admin`, a key has no say in how an admin signs in. */
function isOutOfReach(actor: Actor, user: ModelUser): boolean {
  return actor === "writer" && user.roles.includes("admin");
}

function becomesAdminBy(actor: Actor, { roles }: NewUser): boolean {
  return actor === "writer" && roles.includes("admin");
}

function escalates(actor: Actor, before: ModelUser, after: NewUser): boolean {
  if (actor !== "writer") return false;
  const wasAdmin = before.roles.includes("admin");
  if (wasAdmin !== after.roles.includes("admin")) return true;
  const signIn = ["email", "emailVerified", "username"] as const;
  return wasAdmin && signIn.some((name) => before[name] !== after[name]);
}
