import { Badge, Card, Code, DataList, Group, SimpleGrid, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type User, UserOriginKind, type UserSignIn } from "../../../gen/signet/v1/user_pb.ts";
import { nameOf } from "../parts/enum-name.ts";
import { formatCount } from "../parts/moment.ts";
import { Time } from "../parts/time.tsx";
import { StateBadge } from "./user-rows.tsx";

/** What a User is, how it signs in, and where it came from. */
export function UserProfile({
  user,
  signIn,
}: {
  readonly user: User;
  readonly signIn: UserSignIn | undefined;
}) {
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }}>
      <Person user={user} />
      <div>
        <SimpleGrid cols={1}>
          <SignIn user={user} signIn={signIn} />
          <Provenance user={user} />
        </SimpleGrid>
      </div>
    </SimpleGrid>
  );
}

function Person({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  const metadata = user.metadata && JSON.stringify(user.metadata, undefined, 2);
  return (
    <Facts title={t("user.person")}>
      <Fact name={t("user.state")}>
        <StateBadge state={user.state} />
      </Fact>
      <Fact name={t("user.email")}>
        <Group gap="xs">
          {user.email || "–"}
          {user.email !== "" && (
            <Badge variant="outline" color={user.emailVerified ? "teal" : "orange"}>
              {user.emailVerified ? t("user.verified") : t("user.unverified")}
            </Badge>
          )}
        </Group>
      </Fact>
      <Fact name={t("user.username")}>{user.username || "–"}</Fact>
      <Fact name={t("user.displayName")}>{user.displayName || "–"}</Fact>
      <Fact name={t("user.locale")}>{user.locale || "–"}</Fact>
      <Fact name={t("user.roles")}>{user.roles.join(", ") || "–"}</Fact>
      <Fact name={t("user.externalId")}>{user.externalId || "–"}</Fact>
      <Fact name={t("user.protection")}>
        {user.deletionProtected ? t("common.yes") : t("common.no")}
      </Fact>
      {metadata && (
        <Fact name={t("user.metadata")}>
          <Code block tabIndex={0}>
            {metadata}
          </Code>
        </Fact>
      )}
    </Facts>
  );
}

function SignIn({
  user,
  signIn,
}: {
  readonly user: User;
  readonly signIn: UserSignIn | undefined;
}) {
  const { t, i18n } = useTranslation();
  return (
    <Facts title={t("user.signIn")}>
      <Fact name={t("user.lastLogin")}>
        <Time time={signIn?.lastLoginTime} none={t("common.never")} />
      </Fact>
      <Fact name={t("user.failedLogins")}>
        {formatCount(signIn?.failedLogins ?? 0, i18n.language)}
      </Fact>
      <Fact name={t("user.locked")}>
        <Time time={signIn?.lockExpireTime} none={t("common.no")} />
      </Fact>
      <Fact name={t("user.activeSessions")}>
        {formatCount(signIn?.activeSessions ?? 0, i18n.language)}
      </Fact>
      <Fact name={t("user.password")}>
        <Time time={user.passwordChangeTime} none={t("user.noPassword")} />
      </Fact>
      <Fact name={t("user.mfa")}>{user.mfaEnabled ? t("common.yes") : t("common.no")}</Fact>
    </Facts>
  );
}

function Provenance({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  const { origin } = user;
  return (
    <Facts title={t("user.provenance")}>
      <Fact name={t("user.origin")}>
        {origin
          ? `${t(`originKind.${nameOf(UserOriginKind, origin.kind)}`)}: ${origin.source}`
          : t("user.originHere")}
      </Fact>
      {origin && (
        <>
          <Fact name={t("user.originId")}>{origin.sourceUserId || "–"}</Fact>
          <Fact name={t("user.arriveTime")}>
            <Time time={origin.arriveTime} />
          </Fact>
        </>
      )}
      <Fact name={t("user.version")}>{String(user.version)}</Fact>
      <Fact name={t("user.createTime")}>
        <Time time={user.createTime} exact />
      </Fact>
      <Fact name={t("user.updateTime")}>
        <Time time={user.updateTime} exact />
      </Fact>
    </Facts>
  );
}

/** A group of facts under a heading. */
export function Facts({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ReactNode;
}) {
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="sm">
        {title}
      </Title>
      <DataList styles={{ itemLabel: { flex: "0 0 140px" } }}>{children}</DataList>
    </Card>
  );
}

/** One fact: what it is about, and how it is. */
export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel>{name}</DataList.ItemLabel>
      <DataList.ItemValue className="breaks">{children}</DataList.ItemValue>
    </DataList.Item>
  );
}
