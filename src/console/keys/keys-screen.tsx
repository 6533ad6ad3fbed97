import { useQuery } from "@connectrpc/connect-query";
import { Button, Switch } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { keepPreviousData } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { Page } from "../parts/page.tsx";
import { PAGE_SIZE, PageButtons, useListPlace } from "../parts/pages.tsx";
import { Nothing } from "../parts/rows.tsx";
import { CreateKey } from "./create-key.tsx";
import { KeyRows } from "./key-rows.tsx";

/** The keys of a Site, or, where the address names none, those of operators. */
export function KeysScreen() {
  const { t } = useTranslation();
  const { siteId } = useParams();
  const [isCreating, creating] = useDisclosure();
  const place = useListPlace({ includeInactive: false });
  const owner = siteId === undefined ? { operator: true } : { siteId };
  const query = useQuery(
    SiteService.method.listApiKeys,
    { ...owner, ...place.filter, pageSize: PAGE_SIZE, pageToken: place.pageToken },
    { placeholderData: keepPreviousData },
  );
  return (
    <Page
      title={siteId === undefined ? t("menu.operatorKeys") : t("menu.keys")}
      description={siteId === undefined ? t("keys.ofOperators") : t("keys.ofSite")}
      actions={<Button onClick={creating.open}>{t("keys.create")}</Button>}
    >
      <Switch
        label={t("keys.includeInactive")}
        checked={place.filter.includeInactive}
        onChange={(event) => place.setFilter({ includeInactive: event.currentTarget.checked })}
      />
      <Answer query={query}>
        {({ apiKeys, nextPageToken }) => (
          <>
            {apiKeys.length === 0 ? <Nothing text={t("keys.none")} /> : <KeyRows keys={apiKeys} />}
            <PageButtons place={place} nextPageToken={nextPageToken} />
          </>
        )}
      </Answer>
      <CreateKey siteId={siteId} opened={isCreating} onClose={creating.close} />
    </Page>
  );
}
