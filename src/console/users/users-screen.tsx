import { useQuery } from "@connectrpc/connect-query";
import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { keepPreviousData } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { UserService } from "../../../gen/signet/v1/user_service_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { Page } from "../parts/page.tsx";
import { PAGE_SIZE, PageButtons, useListPlace } from "../parts/pages.tsx";
import { Nothing } from "../parts/rows.tsx";
import { InviteUser } from "./invite-user.tsx";
import { NO_FILTER, requestOf } from "./user-filter.ts";
import { UserFilters } from "./user-filters.tsx";
import { UserRows } from "./user-rows.tsx";

/** The Users of a Site: found by the beginning of a name, filtered, and read page by page. */
export function UsersScreen() {
  const { t } = useTranslation();
  const { siteId = "" } = useParams();
  const [isInviting, inviting] = useDisclosure();
  const place = useListPlace(NO_FILTER);
  const query = useQuery(
    UserService.method.listUsers,
    { siteId, filter: requestOf(place.filter), pageSize: PAGE_SIZE, pageToken: place.pageToken },
    { placeholderData: keepPreviousData },
  );
  return (
    <Page
      title={t("menu.users")}
      actions={<Button onClick={inviting.open}>{t("users.invite")}</Button>}
    >
      <UserFilters filter={place.filter} onChange={place.setFilter} />
      <Answer query={query}>
        {({ users, nextPageToken }) => (
          <>
            {users.length === 0 ? (
              <Nothing text={nextPageToken === "" ? t("users.none") : t("users.noneHere")} />
            ) : (
              <UserRows users={users} />
            )}
            <PageButtons place={place} nextPageToken={nextPageToken} />
          </>
        )}
      </Answer>
      <InviteUser siteId={siteId} opened={isInviting} onClose={inviting.close} />
    </Page>
  );
}
