import { Button, Menu } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { AuthService } from "../../../gen/signet/v1/auth_service_pb.ts";
import { type User, type UserSignIn, UserState } from "../../../gen/signet/v1/user_pb.ts";
import { UserService } from "../../../gen/signet/v1/user_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Confirm } from "../parts/confirm.tsx";
import { userName } from "./user-name.ts";

/** What can be done about a User. */
type ActName = "invite" | "verify" | "unlock" | "enable" | "disable" | "resetMfa" | "remove";

/** What has an effect in the User's present state, the gravest last. */
function possibleActs(user: User, signIn: UserSignIn | undefined): readonly ActName[] {
  const isActive = user.state === UserState.ACTIVE;
  const isGuessedAt = (signIn?.failedLogins ?? 0) > 0 || signIn?.lockExpireTime !== undefined;
  const acts: readonly (readonly [ActName, boolean])[] = [
    ["invite", user.state === UserState.INVITED],
    ["verify", isActive && user.email !== "" && !user.emailVerified],
    ["unlock", isGuessedAt],
    ["enable", user.state === UserState.DISABLED],
    ["disable", user.state !== UserState.DISABLED && user.state !== UserState.DELETED],
    ["resetMfa", user.mfaEnabled],
    ["remove", user.state !== UserState.DELETED],
  ];
  return acts.filter(([, isPossible]) => isPossible).map(([name]) => name);
}

/** A menu of what can be done about a User; each is confirmed, the deletion by typing its name. */
export function UserActions({
  user,
  signIn,
}: {
  readonly user: User;
  readonly signIn: UserSignIn | undefined;
}) {
  const { t } = useTranslation();
  const [asked, setAsked] = useState<ActName>();
  const acts = useUserActs(user, () => setAsked(undefined));
  const current = asked && acts[asked];
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button>{t("userActs.menu")}</Button>
        </Menu.Target>
        <Menu.Dropdown>
          {possibleActs(user, signIn).map((name) => (
            <Menu.Item
              key={name}
              {...(name === "remove" && { color: "red" })}
              onClick={() => setAsked(name)}
            >
              {t(`userActs.${name}`)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Confirm
        opened={asked !== undefined}
        onClose={() => setAsked(undefined)}
        title={asked ? t(`userActs.${asked}`) : ""}
        action={asked ? t(`userActs.${asked}`) : ""}
        onConfirm={() => current?.run()}
        isPending={current?.isPending ?? false}
        error={current?.error}
        {...(asked === "remove" && { typed: userName(user) })}
      >
        {asked && t(`userActWhat.${asked}`, { name: userName(user) })}
      </Confirm>
    </>
  );
}

/** One thing that can be done, with how far it is. */
interface UserAct {
  readonly run: () => void;
  readonly isPending: boolean;
  readonly error: unknown;
}

function useUserActs(user: User, then: () => void): Readonly<Record<ActName, UserAct>> {
  const { t } = useTranslation();
  const { siteId, email, locale } = user;
  const subject = { siteId, userId: user.id };
  const done = t("userActs.done");
  const invite = useAct(UserService.method.inviteUser, t("users.invited"), then);
  const verify = useAct(AuthService.method.resendVerification, t("userActs.mailSent"), then);
  const unlock = useAct(UserService.method.unlockUser, done, then);
  const enable = useAct(UserService.method.enableUser, done, then);
  const disable = useAct(UserService.method.disableUser, done, then);
  const resetMfa = useAct(UserService.method.resetMfa, done, then);
  const navigate = useNavigate();
  const remove = useAct(UserService.method.deleteUser, done, () => {
    void navigate(`/sites/${siteId}/users`);
  });
  return {
    invite: { ...invite, run: () => invite.mutate({ siteId, email, locale }) },
    verify: { ...verify, run: () => verify.mutate({ siteId, email }) },
    unlock: { ...unlock, run: () => unlock.mutate(subject) },
    enable: { ...enable, run: () => enable.mutate(subject) },
    disable: { ...disable, run: () => disable.mutate(subject) },
    resetMfa: { ...resetMfa, run: () => resetMfa.mutate(subject) },
    remove: { ...remove, run: () => remove.mutate({ ...subject, expectedVersion: user.version }) },
  };
}
