import type { MessageInitShape } from "@bufbuild/protobuf";
import { useQuery } from "@connectrpc/connect-query";
import { Anchor, Badge, Stack, Table, Text } from "@mantine/core";
import { keepPreviousData } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import {
  AuditActorKind,
  type AuditEvent,
  type AuditSubject,
  type ListAuditEventsRequestSchema,
  UserService,
} from "../../../gen/signet/v1/user_service_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { nameOf } from "../parts/enum-name.ts";
import { PAGE_SIZE, PageButtons } from "../parts/pages.tsx";
import { Nothing, Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";

/** Which events are asked for. */
export type AuditQuestion = MessageInitShape<typeof ListAuditEventsRequestSchema>;

/** The events that a question is answered with, page by page. */
export function AuditList({ question }: { readonly question: AuditQuestion }) {
  const { t } = useTranslation();
  // Pages that were seen, so that one can go back; another question makes another list.
  const [tokens, setTokens] = useState<readonly string[]>([""]);
  const query = useQuery(
    UserService.method.listAuditEvents,
    { ...question, pageSize: PAGE_SIZE, pageToken: tokens.at(-1) ?? "" },
    { placeholderData: keepPreviousData },
  );
  const place = {
    depth: tokens.length - 1,
    next: (token: string) => setTokens([...tokens, token]),
    previous: () => setTokens(tokens.slice(0, -1)),
  };
  return (
    <Answer query={query}>
      {({ events, nextPageToken }) => (
        <Stack>
          {events.length === 0 ? <Nothing text={t("audit.none")} /> : <EventRows events={events} />}
          <PageButtons place={place} nextPageToken={nextPageToken} />
        </Stack>
      )}
    </Answer>
  );
}

function EventRows({ events }: { readonly events: readonly AuditEvent[] }) {
  const { t } = useTranslation();
  return (
    <Rows label={t("menu.audit")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("audit.kind")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("audit.time")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("audit.actor")}</Table.Th>
          <Table.Th visibleFrom="md">{t("audit.subject")}</Table.Th>
          <Table.Th visibleFrom="lg">{t("audit.facts")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {events.map((event) => (
          <EventRow key={event.id} event={event} />
        ))}
      </Table.Tbody>
    </Rows>
  );
}

function EventRow({ event }: { readonly event: AuditEvent }) {
  const { t } = useTranslation();
  const { actor, subject } = event;
  const actorKind = t(`actorKind.${nameOf(AuditActorKind, actor?.kind ?? 0)}`);
  const facts = Object.entries({ ...event.facts, ...event.personal });
  return (
    <Table.Tr>
      <Table.Td>
        <Badge variant="default">{event.kind}</Badge>
        <Text size="xs" c="dimmed" hiddenFrom="sm">
          <Time time={event.time} exact /> · {actorKind}
        </Text>
        <Text size="xs" c="dimmed" hiddenFrom="md" className="breaks">
          <Subject siteId={event.siteId} subject={subject} />
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Time time={event.time} exact />
      </Table.Td>
      <Table.Td visibleFrom="sm" className="breaks">
        {actorKind}
        <Text size="xs" c="dimmed">
          {actor?.id}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md" className="breaks">
        <Text size="xs">
          <Subject siteId={event.siteId} subject={subject} />
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="lg" className="breaks">
        <Text size="xs">
          {facts.map(([name, value]) => `${name}: ${value}`).join(" · ") || "–"}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}

/** What was acted upon; a User's name leads to all that is known of it. */
function Subject({
  siteId,
  subject,
}: {
  readonly siteId: string;
  readonly subject: AuditSubject | undefined;
}) {
  if (subject === undefined) return "–";
  const text = `${subject.kind} ${subject.id}`;
  if (subject.kind !== "user" || subject.id === "") return text;
  return (
    <Anchor component={Link} to={`/sites/${siteId}/users/${subject.id}`}>
      {text}
    </Anchor>
  );
}
