import { useQuery } from "@connectrpc/connect-query";
import { Button, Group, Stack } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import type { Site } from "../../../gen/signet/v1/site_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Answer, Refused } from "../parts/answer.tsx";
import { Copyable } from "../parts/copyable.tsx";
import { Page } from "../parts/page.tsx";
import { useIsOperator } from "../session/context.ts";
import { AddressFields } from "./address-fields.tsx";
import { DeleteSite } from "./delete-site.tsx";
import { HostedPageFields } from "./hosted-page-fields.tsx";
import { LifetimeFields } from "./lifetime-fields.tsx";
import { OperatorFields } from "./operator-fields.tsx";
import { type Settings, settingsOf, updateOf } from "./settings.ts";
import { SignInFields } from "./sign-in-fields.tsx";
import { SigningKeys } from "./signing-keys.tsx";

/** The settings of a Site. What reaches beyond the Site is for operators. */
export function SettingsScreen() {
  const { t } = useTranslation();
  const { siteId = "" } = useParams();
  const isOperator = useIsOperator();
  const query = useQuery(SiteService.method.getSite, { siteId });
  return (
    <Page title={t("menu.settings")} description={<Copyable text={siteId} label={t("site.id")} />}>
      <Answer query={query}>
        {({ site }) =>
          site && (
            <Stack gap="xl" maw={720}>
              <SettingsForm key={String(site.version)} site={site} />
              <SigningKeys siteId={siteId} />
              {isOperator && <DeleteSite site={site} />}
            </Stack>
          )
        }
      </Answer>
    </Page>
  );
}

/** A new version of the Site makes a new form. */
function SettingsForm({ site }: { readonly site: Site }) {
  const { t } = useTranslation();
  const isOperator = useIsOperator();
  const [before] = useState(() => settingsOf(site));
  const [settings, setSettings] = useState(before);
  const update = useAct(SiteService.method.updateSite, t("settings.saved"));
  const change = (some: Partial<Settings>): void => setSettings({ ...settings, ...some });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    update.mutate(updateOf(site, before, settings));
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="lg">
        <AddressFields settings={settings} onChange={change} />
        <SignInFields settings={settings} onChange={change} />
        <HostedPageFields settings={settings} onChange={change} />
        <LifetimeFields settings={settings} onChange={change} />
        {isOperator && <OperatorFields settings={settings} onChange={change} />}
        {update.error && <Refused error={update.error} />}
        <Group>
          <Button type="submit" loading={update.isPending}>
            {t("common.save")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
