import { useQuery } from "@connectrpc/connect-query";
import { Anchor, Badge, Button, Select, Stack, Table, Text, VisuallyHidden } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { keepPreviousData } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import {
  ChangeKind,
  type WebhookDelivery,
  WebhookDeliveryState,
  WebhookProblem,
} from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Answer, useRefusalWords } from "../parts/answer.tsx";
import { nameOf, namesOf } from "../parts/enum-name.ts";
import { PAGE_SIZE, PageButtons, useListPlace } from "../parts/pages.tsx";
import { Nothing, Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";

const STATES = namesOf(WebhookDeliveryState);
const POLL_MS = 5_000;

const COLOURS = {
  UNSPECIFIED: "gray",
  PENDING: "yellow",
  DELIVERED: "teal",
  DEAD: "red",
} as const;

/** What names the webhook whose deliveries are listed. */
interface WebhookName {
  readonly siteId: string;
  readonly webhookId: string;
}

/** Deliveries of a webhook, the newest first, each with a way to have it made again. */
export function DeliveryList({ siteId, webhookId }: WebhookName) {
  const { t } = useTranslation();
  const place = useListPlace<{ readonly state: (typeof STATES)[number] | "" }>({ state: "" });
  const { state } = place.filter;
  const states = state === "" ? [] : [WebhookDeliveryState[state]];
  const query = useQuery(
    SyncService.method.listWebhookDeliveries,
    { siteId, webhookId, states, pageSize: PAGE_SIZE, pageToken: place.pageToken },
    { placeholderData: keepPreviousData, refetchInterval: POLL_MS },
  );
  return (
    <Stack>
      <Select
        label={t("deliveries.state")}
        placeholder={t("deliveries.any")}
        data={STATES.map((value) => ({ value, label: t(`deliveryState.${value}`) }))}
        value={state === "" ? null : state}
        onChange={(next) => place.setFilter({ state: next ?? "" })}
        maw={300}
        clearable
        clearButtonProps={{ "aria-label": t("common.clear") }}
      />
      <Answer query={query}>
        {({ deliveries, nextPageToken }) => (
          <>
            {deliveries.length === 0 ? (
              <Nothing text={t("deliveries.none")} />
            ) : (
              <DeliveryRows siteId={siteId} deliveries={deliveries} />
            )}
            <PageButtons place={place} nextPageToken={nextPageToken} />
          </>
        )}
      </Answer>
    </Stack>
  );
}

function DeliveryRows({
  siteId,
  deliveries,
}: {
  readonly siteId: string;
  readonly deliveries: readonly WebhookDelivery[];
}) {
  const { t } = useTranslation();
  return (
    <Rows label={t("deliveries.title")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("changes.kind")}</Table.Th>
          <Table.Th>{t("deliveries.state")}</Table.Th>
          <Table.Th visibleFrom="md">{t("deliveries.lastAttempt")}</Table.Th>
          <Table.Th visibleFrom="lg">{t("deliveries.nextAttempt")}</Table.Th>
          <Table.Th>
            <VisuallyHidden>{t("common.actions")}</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {deliveries.map((delivery) => (
          <DeliveryRow key={delivery.id} siteId={siteId} delivery={delivery} />
        ))}
      </Table.Tbody>
    </Rows>
  );
}

function DeliveryRow({
  siteId,
  delivery,
}: {
  readonly siteId: string;
  readonly delivery: WebhookDelivery;
}) {
  const { t } = useTranslation();
  const state = nameOf(WebhookDeliveryState, delivery.state);
  const { lastAttempt } = delivery;
  return (
    <Table.Tr>
      <Table.Td className="breaks">
        <Anchor component={Link} to={`/sites/${siteId}/users/${delivery.userId}`}>
          {t(`changeKind.${nameOf(ChangeKind, delivery.kind)}`)}
        </Anchor>
        <Text size="xs" c="dimmed">
          {t("deliveries.position", { position: String(delivery.position) })}
        </Text>
      </Table.Td>
      <Table.Td>
        <Badge variant="dot" color={COLOURS[state]}>
          {t(`deliveryState.${state}`)}
        </Badge>
        <Text size="xs" c="dimmed">
          {t("deliveries.attempts", { count: delivery.attemptCount })}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Time time={lastAttempt?.sendTime} exact />
        <Text size="xs" c="dimmed">
          {lastAttempt && t(`webhookProblem.${nameOf(WebhookProblem, lastAttempt.problem)}`)}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <Time time={delivery.nextAttemptTime} exact />
      </Table.Td>
      <Table.Td>
        <Redeliver siteId={siteId} delivery={delivery} />
      </Table.Td>
    </Table.Tr>
  );
}

function Redeliver({
  siteId,
  delivery,
}: {
  readonly siteId: string;
  readonly delivery: WebhookDelivery;
}) {
  const { t } = useTranslation();
  const words = useRefusalWords();
  const [wasAsked, setAsked] = useState(false);
  const redeliver = useAct(SyncService.method.redeliverWebhook, t("deliveries.queued"), () =>
    setAsked(true),
  );
  if (delivery.state === WebhookDeliveryState.PENDING) return null;
  const { webhookId, id } = delivery;
  const what = { case: "deliveryId", value: id } as const;
  return (
    <Button
      size="compact-sm"
      variant="default"
      loading={redeliver.isPending}
      disabled={wasAsked}
      onClick={() =>
        redeliver.mutate(
          { siteId, webhookId, what },
          { onError: (error) => notifications.show({ message: words(error), color: "red" }) },
        )
      }
      aria-label={t("deliveries.redeliverOne", { position: String(delivery.position) })}
    >
      {t("deliveries.redeliver")}
    </Button>
  );
}
