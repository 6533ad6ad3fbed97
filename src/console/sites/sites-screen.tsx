import { useQuery } from "@connectrpc/connect-query";
import { Anchor, Badge, Button, Table } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { keepPreviousData } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Site } from "../../../gen/signet/v1/site_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { Page } from "../parts/page.tsx";
import { PAGE_SIZE, PageButtons, useListPlace } from "../parts/pages.tsx";
import { Nothing, Rows } from "../parts/rows.tsx";
import { SearchInput } from "../parts/search-input.tsx";
import { Time } from "../parts/time.tsx";
import { CreateSite } from "./create-site.tsx";

/** All Sites, for operators. */
export function SitesScreen() {
  const { t } = useTranslation();
  const [isCreating, creating] = useDisclosure();
  const place = useListPlace({ namePrefix: "" });
  const query = useQuery(
    SiteService.method.listSites,
    { ...place.filter, pageSize: PAGE_SIZE, pageToken: place.pageToken },
    { placeholderData: keepPreviousData },
  );
  return (
    <Page
      title={t("sites.title")}
      description={t("sites.description")}
      actions={<Button onClick={creating.open}>{t("sites.create")}</Button>}
    >
      <SearchInput
        label={t("sites.filter")}
        value={place.filter.namePrefix}
        onSearch={(namePrefix) => place.setFilter({ namePrefix })}
        maw={400}
        maxLength={200}
      />
      <Answer query={query}>
        {({ sites, nextPageToken }) => (
          <>
            {sites.length === 0 ? <Nothing text={t("sites.none")} /> : <SiteRows sites={sites} />}
            <PageButtons place={place} nextPageToken={nextPageToken} />
          </>
        )}
      </Answer>
      <CreateSite opened={isCreating} onClose={creating.close} />
    </Page>
  );
}

function SiteRows({ sites }: { readonly sites: readonly Site[] }) {
  const { t } = useTranslation();
  return (
    <Rows label={t("sites.title")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("site.name")}</Table.Th>
          <Table.Th>{t("site.domains")}</Table.Th>
          <Table.Th visibleFrom="md">{t("site.createTime")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("site.protection")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {sites.map((site) => (
          <Table.Tr key={site.id}>
            <Table.Td>
              <Anchor component={Link} to={`/sites/${site.id}/users`} className="breaks">
                {site.name}
              </Anchor>
            </Table.Td>
            <Table.Td className="breaks">{site.domains.join(", ") || "–"}</Table.Td>
            <Table.Td visibleFrom="md">
              <Time time={site.createTime} />
            </Table.Td>
            <Table.Td visibleFrom="sm">
              {site.deletionProtected && (
                <Badge color="teal" variant="outline">
                  {t("site.protected")}
                </Badge>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Rows>
  );
}
