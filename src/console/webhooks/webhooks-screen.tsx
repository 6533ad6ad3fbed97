import { useQuery } from "@connectrpc/connect-query";
import { Anchor, Badge, Button, Table, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { keepPreviousData } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { type Webhook, WebhookState } from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { nameOf } from "../parts/enum-name.ts";
import { formatCount } from "../parts/moment.ts";
import { Page } from "../parts/page.tsx";
import { PAGE_SIZE, PageButtons, useListPlace } from "../parts/pages.tsx";
import { Nothing, Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";
import { CreateWebhook } from "./create-webhook.tsx";

const COLOURS = {
  UNSPECIFIED: "gray",
  ENABLED: "teal",
  DISABLED: "gray",
  FAILED: "red",
  GONE: "red",
} as const;

/** The webhooks of a Site. */
export function WebhooksScreen() {
  const { t } = useTranslation();
  const { siteId = "" } = useParams();
  const [isCreating, creating] = useDisclosure();
  const place = useListPlace({});
  const query = useQuery(
    SyncService.method.listWebhooks,
    { siteId, pageSize: PAGE_SIZE, pageToken: place.pageToken },
    { placeholderData: keepPreviousData },
  );
  return (
    <Page
      title={t("menu.webhooks")}
      description={t("webhooks.description")}
      actions={<Button onClick={creating.open}>{t("webhooks.create")}</Button>}
    >
      <Answer query={query}>
        {({ webhooks, nextPageToken }) => (
          <>
            {webhooks.length === 0 ? (
              <Nothing text={t("webhooks.none")} />
            ) : (
              <WebhookRows webhooks={webhooks} />
            )}
            <PageButtons place={place} nextPageToken={nextPageToken} />
          </>
        )}
      </Answer>
      <CreateWebhook siteId={siteId} opened={isCreating} onClose={creating.close} />
    </Page>
  );
}

function WebhookRows({ webhooks }: { readonly webhooks: readonly Webhook[] }) {
  const { t, i18n } = useTranslation();
  return (
    <Rows label={t("menu.webhooks")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("webhooks.url")}</Table.Th>
          <Table.Th>{t("webhooks.state")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("webhooks.pending")}</Table.Th>
          <Table.Th visibleFrom="md">{t("webhooks.lastAttempt")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {webhooks.map((webhook) => (
          <Table.Tr key={webhook.id}>
            <Table.Td className="breaks">
              <Anchor component={Link} to={`/sites/${webhook.siteId}/webhooks/${webhook.id}`}>
                {webhook.label || webhook.url}
              </Anchor>
              {webhook.label !== "" && (
                <Text size="sm" c="dimmed">
                  {webhook.url}
                </Text>
              )}
            </Table.Td>
            <Table.Td>
              <WebhookBadge state={webhook.state} />
            </Table.Td>
            <Table.Td visibleFrom="sm">{formatCount(webhook.pendingCount, i18n.language)}</Table.Td>
            <Table.Td visibleFrom="md">
              <Time time={webhook.lastAttempt?.sendTime} none={t("common.never")} exact />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Rows>
  );
}

/** Shows the state of a webhook by word and colour. */
export function WebhookBadge({ state }: { readonly state: WebhookState }) {
  const { t } = useTranslation();
  const name = nameOf(WebhookState, state);
  return (
    <Badge variant="dot" color={COLOURS[name]}>
      {t(`webhookState.${name}`)}
    </Badge>
  );
}
