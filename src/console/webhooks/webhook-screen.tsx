import { useQuery } from "@connectrpc/connect-query";
import { Alert, Stack, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { type Webhook, WebhookProblem } from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { Copyable } from "../parts/copyable.tsx";
import { nameOf } from "../parts/enum-name.ts";
import { formatCount } from "../parts/moment.ts";
import { Page } from "../parts/page.tsx";
import { Time } from "../parts/time.tsx";
import { Fact, Facts } from "../users/user-profile.tsx";
import { DeliveryList } from "./delivery-list.tsx";
import { WebhookActions } from "./webhook-actions.tsx";
import { WebhookBadge } from "./webhooks-screen.tsx";

/** A Site has 32 at most, so one page holds them all. */
const WEBHOOKS_MAX = 100;
const POLL_MS = 5_000;

/** One webhook: how it is doing, and its deliveries. */
export function WebhookScreen() {
  const { t } = useTranslation();
  const { siteId = "", webhookId = "" } = useParams();
  const query = useQuery(
    SyncService.method.listWebhooks,
    { siteId, pageSize: WEBHOOKS_MAX },
    { refetchInterval: POLL_MS },
  );
  return (
    <Answer query={query}>
      {({ webhooks }) => {
        const webhook = webhooks.find(({ id }) => id === webhookId);
        if (webhook) return <WebhookPage webhook={webhook} />;
        return <Alert color="red">{t("errors.WEBHOOK_NOT_FOUND")}</Alert>;
      }}
    </Answer>
  );
}

function WebhookPage({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useTranslation();
  return (
    <Page
      title={webhook.label || webhook.url}
      description={<Copyable text={webhook.id} label={t("webhooks.id")} />}
      actions={<WebhookActions webhook={webhook} />}
    >
      <WebhookFacts webhook={webhook} />
      <Stack>
        <Title order={2} size="h4">
          {t("deliveries.title")}
        </Title>
        <DeliveryList siteId={webhook.siteId} webhookId={webhook.id} />
      </Stack>
    </Page>
  );
}

function WebhookFacts({ webhook }: { readonly webhook: Webhook }) {
  const { t, i18n } = useTranslation();
  const { lastAttempt } = webhook;
  return (
    <Facts title={t("webhooks.facts")}>
      <Fact name={t("webhooks.url")}>{webhook.url}</Fact>
      <Fact name={t("webhooks.state")}>
        <WebhookBadge state={webhook.state} />
      </Fact>
      <Fact name={t("webhooks.pending")}>{formatCount(webhook.pendingCount, i18n.language)}</Fact>
      <Fact name={t("webhooks.lastAttempt")}>
        <Time time={lastAttempt?.sendTime} none={t("common.never")} exact />{" "}
        {lastAttempt && t(`webhookProblem.${nameOf(WebhookProblem, lastAttempt.problem)}`)}
      </Fact>
      {webhook.failTime && (
        <Fact name={t("webhooks.failTime")}>
          <Time time={webhook.failTime} exact />
        </Fact>
      )}
    </Facts>
  );
}
