import { useQuery } from "@connectrpc/connect-query";
import { Tabs } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import type { User, UserSignIn } from "../../../gen/signet/v1/user_pb.ts";
import { UserService } from "../../../gen/signet/v1/user_service_pb.ts";
import { AuditList } from "../audit/audit-list.tsx";
import { Answer } from "../parts/answer.tsx";
import { Copyable } from "../parts/copyable.tsx";
import { Page } from "../parts/page.tsx";
import { UserActions } from "./user-actions.tsx";
import { UserMirrors } from "./user-mirrors.tsx";
import { userName } from "./user-name.ts";
import { UserProfile } from "./user-profile.tsx";
import { UserSessions } from "./user-sessions.tsx";

/** All that is known of a User, and what can be done about it. */
export function UserScreen() {
  const { siteId = "", userId = "" } = useParams();
  const query = useQuery(UserService.method.getUser, { siteId, userId });
  return (
    <Answer query={query}>
      {({ user, signIn }) => user && <UserPage user={user} signIn={signIn} />}
    </Answer>
  );
}

function UserPage({
  user,
  signIn,
}: {
  readonly user: User;
  readonly signIn?: UserSignIn | undefined;
}) {
  const { t } = useTranslation();
  return (
    <Page
      title={userName(user)}
      description={<Copyable text={user.id} label={t("user.id")} />}
      actions={<UserActions user={user} signIn={signIn} />}
    >
      <Tabs defaultValue="profile" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="profile">{t("user.profile")}</Tabs.Tab>
          <Tabs.Tab value="sessions">{t("user.sessions")}</Tabs.Tab>
          <Tabs.Tab value="mirrors">{t("user.mirrors")}</Tabs.Tab>
          <Tabs.Tab value="audit">{t("menu.audit")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="profile">
          <UserProfile user={user} signIn={signIn} />
        </Tabs.Panel>
        <Tabs.Panel value="sessions">
          <UserSessions user={user} />
        </Tabs.Panel>
        <Tabs.Panel value="mirrors">
          <UserMirrors user={user} />
        </Tabs.Panel>
        <Tabs.Panel value="audit">
          <AuditList question={{ siteId: user.siteId, subjectId: user.id }} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
