import { type User, type UserSignIn, UserStateSchema } from "../../gen/signet/v1/user_pb.ts";
import type { InviteUserResponse, ListUsersResponse } from "../../gen/signet/v1/user_service_pb.ts";
import { enumWords } from "./enum-words.ts";
import { type Field, layOutFields, layOutTable, withMore } from "./layout.ts";
import { listText, timeText, yesOrNo } from "./values.ts";

const STATES = enumWords(UserStateSchema);

/** Lays out a User. */
export function layOutUser({ user }: { readonly user?: User | undefined }): string {
  return user ? layOutFields(fieldsOf(user)) : "";
}

/** Lays out an invited User, with the token where no mail brings it. */
export function layOutInvited({ user, oneTimeToken }: InviteUserResponse): string {
  const invited = layOutUser({ user });
  if (!oneTimeToken) return invited;
  const until = timeText(oneTimeToken.expireTime);
  return `${invited}\n\nToken, shown only now, good until ${until}:\n${oneTimeToken.token}`;
}

/** Lays out a User and how it signs in, where the caller may see that. */
export function layOutUserWithSignIn(answer: {
  readonly user?: User | undefined;
  readonly signIn?: UserSignIn | undefined;
}): string {
  const { user, signIn } = answer;
  if (!user || !signIn) return layOutUser(answer);
  return layOutFields([
    ...fieldsOf(user),
    ["Last login", timeText(signIn.lastLoginTime) ?? "never"],
    ["Failed logins", String(signIn.failedLogins)],
    ["Locked until", timeText(signIn.lockExpireTime)],
    ["Active Sessions", String(signIn.activeSessions)],
  ]);
}

/** Lays out a table of Users, and says how to see more where there are more. */
export function layOutUsers({ users, nextPageToken }: ListUsersResponse): string {
  if (users.length === 0) return "There are no such Users.";
  const table = layOutTable(
    ["id", "e-mail", "username", "display name", "roles", "state", "created"],
    users.map((user) => [
      user.id,
      user.email,
      user.username,
      user.displayName,
      listText(user.roles),
      STATES.wordOf(user.state),
      timeText(user.createTime),
    ]),
  );
  return withMore(table, nextPageToken);
}

function fieldsOf(user: User): Field[] {
  return [
    ["User", user.id],
    ["Site", user.siteId],
    ["Version", String(user.version)],
    ["E-mail", user.email && `${user.email} (${user.emailVerified ? "" : "not "}verified)`],
    ["Username", user.username],
    ["Display name", user.displayName],
    ["Picture", user.pictureUrl],
    ["Locale", user.locale],
    ["Roles", listText(user.roles)],
    ["State", STATES.wordOf(user.state)],
    ["Second factor", yesOrNo(user.mfaEnabled)],
    ["External id", user.externalId],
    ["Metadata", user.metadata && JSON.stringify(user.metadata)],
    ["Deletion protected", user.deletionProtected ? "yes" : undefined],
    ["Created", timeText(user.createTime)],
    ["Updated", timeText(user.updateTime)],
    ["Deleted", timeText(user.deleteTime)],
  ];
}
