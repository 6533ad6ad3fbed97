import { Button, Group, Stack, Switch, TagsInput, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Refused } from "../parts/answer.tsx";
import { Dialog } from "../parts/dialog.tsx";

const DOMAINS_MAX = 32;

/** Asks for what a Site cannot be without, creates it and leads on to its settings. */
export function CreateSite(props: { readonly opened: boolean; readonly onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog opened={props.opened} onClose={props.onClose} title={t("sites.create")}>
      <CreateSiteForm onClose={props.onClose} />
    </Dialog>
  );
}

function CreateSiteForm({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  // By its id a repeat after a lost answer makes no second Site.
  const [id] = useState(() => crypto.randomUUID());
  const [name, setName] = useState("");
  const [frontendUrl, setFrontendUrl] = useState("");
  const [domains, setDomains] = useState<string[]>([]);
  const [deletionProtected, setProtected] = useState(true);
  const create = useAct(SiteService.method.createSite, t("sites.created"), ({ site }) => {
    onClose();
    void navigate(`/sites/${site?.id}/settings`);
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate({ id, name, frontendUrl, domains, deletionProtected });
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label={t("site.name")}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          maxLength={200}
          required
          data-autofocus
        />
        <TextInput
          label={t("site.frontendUrl")}
          description={t("site.frontendUrlHint")}
          placeholder="https://shop.example.com"
          value={frontendUrl}
          onChange={(event) => setFrontendUrl(event.currentTarget.value)}
          type="url"
          required
        />
        <TagsInput
          label={t("site.domains")}
          description={t("site.domainsHint")}
          value={domains}
          onChange={setDomains}
          maxTags={DOMAINS_MAX}
          acceptValueOnBlur
        />
        <Switch
          label={t("site.protection")}
          checked={deletionProtected}
          onChange={(event) => setProtected(event.currentTarget.checked)}
        />
        {create.error && <Refused error={create.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("common.cancel")}
          </Button>
          <Button type="submit" loading={create.isPending}>
            {t("sites.create")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
