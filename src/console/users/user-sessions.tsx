import { useQuery } from "@connectrpc/connect-query";
import { Badge, Button, Group, Stack, Table, Text, VisuallyHidden } from "@mantine/core";
import { keepPreviousData } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { AuthService } from "../../../gen/signet/v1/auth_service_pb.ts";
import type { Session } from "../../../gen/signet/v1/session_pb.ts";
import type { User } from "../../../gen/signet/v1/user_pb.ts";
import { useAct } from "../parts/act.ts";
import { Answer } from "../parts/answer.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { PAGE_SIZE, PageButtons, useListPlace } from "../parts/pages.tsx";
import { Nothing, Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";

/** The Sessions of a User, each with a way to end it. */
export function UserSessions({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  const [asked, setAsked] = useState<Session | "all">();
  const place = useListPlace({});
  const subject = { siteId: user.siteId, userId: user.id };
  const query = useQuery(
    AuthService.method.listSessions,
    { ...subject, pageSize: PAGE_SIZE, pageToken: place.pageToken },
    { placeholderData: keepPreviousData },
  );
  const close = (): void => setAsked(undefined);
  const revoke = useAct(AuthService.method.revokeSession, t("sessions.ended"), close);
  const revokeAll = useAct(AuthService.method.revokeAllSessions, t("sessions.ended"), close);
  const act = asked === "all" ? revokeAll : revoke;
  const confirm = (): void => {
    if (asked === "all") revokeAll.mutate(subject);
    else if (asked) revoke.mutate({ siteId: user.siteId, sessionId: asked.id });
  };
  return (
    <Answer query={query}>
      {({ sessions, nextPageToken }) => (
        <Stack>
          {sessions.length === 0 ? (
            <Nothing text={t("sessions.none")} />
          ) : (
            <>
              <Group>
                <Button color="red" variant="outline" onClick={() => setAsked("all")}>
                  {t("sessions.endAll")}
                </Button>
              </Group>
              <SessionRows sessions={sessions} onRevoke={setAsked} />
            </>
          )}
          <PageButtons place={place} nextPageToken={nextPageToken} />
          <Confirm
            opened={asked !== undefined}
            onClose={close}
            title={asked === "all" ? t("sessions.endAll") : t("sessions.end")}
            action={asked === "all" ? t("sessions.endAll") : t("sessions.end")}
            onConfirm={confirm}
            isPending={act.isPending}
            error={act.error}
          >
            {t("sessions.endWhat")}
          </Confirm>
        </Stack>
      )}
    </Answer>
  );
}

function SessionRows({
  sessions,
  onRevoke,
}: {
  readonly sessions: readonly Session[];
  readonly onRevoke: (session: Session) => void;
}) {
  const { t } = useTranslation();
  return (
    <Rows label={t("user.sessions")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("sessions.device")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("sessions.createTime")}</Table.Th>
          <Table.Th visibleFrom="md">{t("sessions.lastRefreshTime")}</Table.Th>
          <Table.Th visibleFrom="md">{t("sessions.proof")}</Table.Th>
          <Table.Th>
            <VisuallyHidden>{t("common.actions")}</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {sessions.map((session) => (
          <Table.Tr key={session.id}>
            <Table.Td className="breaks">
              <Group gap="xs">
                {session.client?.ip || t("sessions.unknownDevice")}
                {session.current && <Badge variant="outline">{t("sessions.current")}</Badge>}
              </Group>
              <Text size="sm" c="dimmed" lineClamp={2}>
                {session.client?.userAgent}
              </Text>
            </Table.Td>
            <Table.Td visibleFrom="sm">
              <Time time={session.createTime} />
            </Table.Td>
            <Table.Td visibleFrom="md">
              <Time time={session.lastRefreshTime} none={t("common.never")} />
            </Table.Td>
            <Table.Td visibleFrom="md">{session.amr.join(", ")}</Table.Td>
            <Table.Td>
              <Button size="compact-sm" variant="default" onClick={() => onRevoke(session)}>
                {t("sessions.end")}
              </Button>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Rows>
  );
}
