import { createClient } from "@connectrpc/connect";
import { Badge, Button, Group } from "@mantine/core";
import { useEffect, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { Refused } from "../parts/answer.tsx";
import { formatCount } from "../parts/moment.ts";
import { Page } from "../parts/page.tsx";
import { Nothing } from "../parts/rows.tsx";
import { useConsole } from "../session/context.ts";
import { CHANGES_MAX, type ChangeFeed, createChangeFeed, type FeedState } from "./change-feed.ts";
import { ChangeRows } from "./change-rows.tsx";

const COLOURS = { connecting: "yellow", live: "teal", paused: "gray", broken: "red" } as const;

/** The Changes of a Site as they happen, by the stream that Mirrors follow too. */
export function ChangesScreen() {
  const { siteId = "" } = useParams();
  return <SiteChanges key={siteId} siteId={siteId} />;
}

function SiteChanges({ siteId }: { readonly siteId: string }) {
  const { t } = useTranslation();
  const { transport } = useConsole();
  const [feed] = useState(() => createChangeFeed(createClient(SyncService, transport), siteId));
  const state = useSyncExternalStore(feed.subscribe, feed.state);
  useEffect(() => {
    feed.resume();
    return feed.pause;
  }, [feed]);
  return (
    <Page
      title={t("menu.changes")}
      description={t("changes.description", { max: CHANGES_MAX })}
      actions={<FeedButtons feed={feed} state={state} />}
    >
      <FeedStatus state={state} />
      {state.status === "broken" && <Refused error={state.error} />}
      {state.changes.length === 0 ? (
        <Nothing text={t("changes.none")} />
      ) : (
        <ChangeRows changes={state.changes} />
      )}
    </Page>
  );
}

function FeedButtons({ feed, state }: { readonly feed: ChangeFeed; readonly state: FeedState }) {
  const { t } = useTranslation();
  const isOff = state.status === "paused" || state.status === "broken";
  return (
    <>
      <Button variant="default" onClick={feed.clear} disabled={state.changes.length === 0}>
        {t("common.clear")}
      </Button>
      <Button onClick={isOff ? feed.resume : feed.pause}>
        {isOff ? t("changes.resume") : t("changes.pause")}
      </Button>
    </>
  );
}

function FeedStatus({ state }: { readonly state: FeedState }) {
  const { t, i18n } = useTranslation();
  const count = (number: bigint | number): string => formatCount(number, i18n.language);
  return (
    <Group gap="lg">
      <Badge size="lg" variant="dot" color={COLOURS[state.status]} role="status">
        {t(`changes.${state.status}`)}
      </Badge>
      <span>{t("changes.received", { number: count(state.received) })}</span>
      <span>{t("changes.head", { position: count(state.head) })}</span>
    </Group>
  );
}
