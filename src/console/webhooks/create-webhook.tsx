import { Button, Group, MultiSelect, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { ChangeKind } from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { Secret } from "../keys/create-key.tsx";
import { useAct } from "../parts/act.ts";
import { Refused } from "../parts/answer.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { namesOf } from "../parts/enum-name.ts";

/** What {@link CreateWebhook} is given. */
interface CreateWebhookProps {
  readonly siteId: string;
  readonly onClose: () => void;
}

const KINDS = namesOf(ChangeKind);

/** Creates a webhook and shows the secret by which it signs, once. */
export function CreateWebhook(props: CreateWebhookProps & { readonly opened: boolean }) {
  const { t } = useTranslation();
  return (
    <Dialog
      opened={props.opened}
      onClose={props.onClose}
      title={t("webhooks.create")}
      closeOnClickOutside={false}
    >
      <CreateWebhookForm {...props} />
    </Dialog>
  );
}

function CreateWebhookForm({ siteId, onClose }: CreateWebhookProps) {
  const { t } = useTranslation();
  const [id] = useState(() => crypto.randomUUID());
  const [url, setUrl] = useState("");
  const [label, setLabel] = useState("");
  const [kinds, setKinds] = useState<(typeof KINDS)[number][]>([]);
  const create = useAct(SyncService.method.createWebhook, undefined);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate({ siteId, id, url, label, kinds: kinds.map((kind) => ChangeKind[kind]) });
  };
  if (create.data) return <Secret secret={create.data.secret} onClose={onClose} />;
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label={t("webhooks.url")}
          placeholder="https://shop.example.com/signet"
          value={url}
          onChange={(event) => setUrl(event.currentTarget.value)}
          type="url"
          required
          data-autofocus
        />
        <TextInput
          label={t("webhooks.label")}
          value={label}
          onChange={(event) => setLabel(event.currentTarget.value)}
          maxLength={200}
        />
        <MultiSelect
          label={t("webhooks.kinds")}
          description={t("webhooks.kindsHint")}
          data={KINDS.map((value) => ({ value, label: t(`changeKind.${value}`) }))}
          value={kinds}
          onChange={setKinds}
        />
        {create.error && <Refused error={create.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("common.cancel")}
          </Button>
          <Button type="submit" loading={create.isPending}>
            {t("webhooks.create")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
