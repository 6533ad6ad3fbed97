import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { type Webhook, WebhookProblem, WebhookState } from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { useRefusalWords } from "../parts/answer.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { nameOf } from "../parts/enum-name.ts";

/** Tests a webhook, switches it on or off, or deletes it. */
export function WebhookActions({ webhook }: { readonly webhook: Webhook }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const words = useRefusalWords();
  const [isAsking, asking] = useDisclosure();
  const { siteId, id } = webhook;
  const isEnabled = webhook.state === WebhookState.ENABLED;
  const tell = (error: unknown): void => {
    notifications.show({ message: words(error), color: "red" });
  };
  const test = useAct(SyncService.method.sendTestWebhook, undefined, ({ attempt }) => {
    const problem = nameOf(WebhookProblem, attempt?.problem ?? 0);
    const color = problem === "UNSPECIFIED" ? "teal" : "red";
    notifications.show({ message: t(`webhookProblem.${problem}`), color });
  });
  const update = useAct(SyncService.method.updateWebhook, t("userActs.done"));
  const remove = useAct(SyncService.method.deleteWebhook, t("webhooks.deleted"), () => {
    void navigate(`/sites/${siteId}/webhooks`);
  });
  return (
    <>
      <Button
        variant="default"
        loading={test.isPending}
        onClick={() => test.mutate({ siteId, id }, { onError: tell })}
      >
        {t("webhooks.test")}
      </Button>
      <Button
        variant="default"
        loading={update.isPending}
        onClick={() => update.mutate({ siteId, id, enabled: !isEnabled }, { onError: tell })}
      >
        {isEnabled ? t("webhooks.switchOff") : t("webhooks.switchOn")}
      </Button>
      <Button color="red" variant="outline" onClick={asking.open}>
        {t("common.delete")}
      </Button>
      <Confirm
        opened={isAsking}
        onClose={asking.close}
        title={t("webhooks.delete")}
        action={t("common.delete")}
        onConfirm={() => remove.mutate({ siteId, id })}
        isPending={remove.isPending}
        error={remove.error}
      >
        {t("webhooks.deleteWhat")}
      </Confirm>
    </>
  );
}
