import { useQuery } from "@connectrpc/connect-query";
import { Stack, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { Page } from "../parts/page.tsx";
import { Nothing } from "../parts/rows.tsx";
import { useIsOperator } from "../session/context.ts";
import { MirrorCards } from "./mirror-cards.tsx";
import { PeerRows } from "./peer-rows.tsx";
import { Problems } from "./problems.tsx";
import { SiteNumbers } from "./site-numbers.tsx";
import { Verdict } from "./verdict.tsx";

const POLL_MS = 5_000;
const MIRRORS_MAX = 100;

/** Whether all that follows a Site is in step, and what is not; asked anew every 5 s. */
export function SyncScreen() {
  const { t } = useTranslation();
  const { siteId = "" } = useParams();
  const options = { refetchInterval: POLL_MS };
  const health = useQuery(SyncService.method.getSyncHealth, { siteId }, options);
  const mirrors = useQuery(
    SyncService.method.listMirrors,
    { siteId, pageSize: MIRRORS_MAX },
    options,
  );
  const isOperator = useIsOperator();
  return (
    <Page title={t("menu.sync")} description={t("sync.description")}>
      <Answer query={health}>
        {(answer) =>
          answer.health && (
            <Stack gap="lg">
              <Verdict health={answer.health} />
              <Problems health={answer.health} mirrors={mirrors.data?.mirrors ?? []} />
              <SiteNumbers health={answer.health} />
            </Stack>
          )
        }
      </Answer>
      <Title order={2} size="h4">
        {t("sync.mirrors")}
      </Title>
      <Answer query={mirrors}>
        {(answer) =>
          answer.mirrors.length === 0 ? (
            <Nothing text={t("sync.noMirrors")} />
          ) : (
            <MirrorCards mirrors={answer.mirrors} polledMs={mirrors.dataUpdatedAt} />
          )
        }
      </Answer>
      {isOperator && <PeerRows siteId={siteId} />}
    </Page>
  );
}
