import { Sparkline } from "@mantine/charts";
import { Badge, Button, Card, DataList, Group, SimpleGrid, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Mirror, MirrorState } from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Confirm } from "../parts/confirm.tsx";
import { nameOf } from "../parts/enum-name.ts";
import { formatCount, formatDuration } from "../parts/moment.ts";
import { Time } from "../parts/time.tsx";
import { Fact } from "../users/user-profile.tsx";
import { useLagHistory } from "./lag-history.ts";

const COLOURS = {
  UNSPECIFIED: "gray",
  SNAPSHOT: "blue",
  LIVE: "teal",
  LAGGING: "yellow",
  DIVERGED: "red",
  REPAIRING: "orange",
  DISCONNECTED: "red",
} as const;

/** The Mirrors of a Site, each with its lag over the time that one has looked at it. */
export function MirrorCards({
  mirrors,
  polledMs,
}: {
  readonly mirrors: readonly Mirror[];
  /** When they were asked for. */
  readonly polledMs: number;
}) {
  const { t } = useTranslation();
  const lags = useLagHistory(mirrors, polledMs);
  const [asked, setAsked] = useState<Mirror>();
  const close = (): void => setAsked(undefined);
  const remove = useAct(SyncService.method.deleteMirror, t("sync.forgotten"), close);
  return (
    <>
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {mirrors.map((mirror) => (
          <MirrorCard
            key={mirror.id}
            mirror={mirror}
            lags={lags.get(mirror.id) ?? []}
            onForget={() => setAsked(mirror)}
          />
        ))}
      </SimpleGrid>
      <Confirm
        opened={asked !== undefined}
        onClose={close}
        title={t("sync.forget")}
        action={t("sync.forget")}
        onConfirm={() => asked && remove.mutate({ siteId: asked.siteId, id: asked.id })}
        isPending={remove.isPending}
        error={remove.error}
      >
        {asked && t("sync.forgetWhat", { name: asked.name })}
      </Confirm>
    </>
  );
}

function MirrorCard({
  mirror,
  lags,
  onForget,
}: {
  readonly mirror: Mirror;
  readonly lags: readonly number[];
  readonly onForget: () => void;
}) {
  const { t, i18n } = useTranslation();
  const lag =
    mirror.lagChanges === 0n
      ? t("sync.lacksNothing")
      : t("sync.lagIs", {
          changes: formatCount(mirror.lagChanges, i18n.language),
          duration: formatDuration(Number(mirror.lagMs), i18n.language),
        });
  const state = nameOf(MirrorState, mirror.state);
  return (
    <Card withBorder>
      <Group justify="space-between" align="start" wrap="nowrap">
        <Title order={3} size="h5" className="breaks">
          {mirror.name}
        </Title>
        <Badge variant="dot" color={COLOURS[state]}>
          {t(`mirrorState.${state}`)}
        </Badge>
      </Group>
      <Text size="sm" mt="xs">
        {lag}
      </Text>
      {/* The sentence above says the same as the picture. */}
      <Sparkline inert h={56} my="xs" data={[...lags]} curveType="linear" fillOpacity={0.3} />
      <MirrorFacts mirror={mirror} />
      <Group mt="sm">
        <Button
          size="compact-sm"
          variant="default"
          onClick={onForget}
          aria-label={t("sync.forgetOne", { name: mirror.name })}
        >
          {t("sync.forget")}
        </Button>
      </Group>
    </Card>
  );
}

function MirrorFacts({ mirror }: { readonly mirror: Mirror }) {
  const { t, i18n } = useTranslation();
  const count = (number: bigint): string => formatCount(number, i18n.language);
  const { lastReconcile } = mirror;
  return (
    <DataList gap="xs" styles={{ itemLabel: { flex: "0 0 120px" } }}>
      <Fact name={t("sync.reportTime")}>
        <Time time={mirror.reportTime} exact />
      </Fact>
      <Fact name={t("sync.position")}>{count(mirror.position)}</Fact>
      <Fact name={t("sync.drift")}>{count(mirror.drift)}</Fact>
      <Fact name={t("sync.reconcile")}>
        {lastReconcile ? (
          <>
            <Time time={lastReconcile.finishTime} exact />{" "}
            {t("sync.reconcileFound", {
              missing: count(lastReconcile.missingCount),
              stale: count(lastReconcile.staleCount),
              extra: count(lastReconcile.extraCount),
              altered: count(lastReconcile.alteredCount),
              repaired: count(lastReconcile.repairedCount),
            })}
          </>
        ) : (
          t("common.never")
        )}
      </Fact>
      {mirror.foreignWrites > 0n && (
        <Fact name={t("sync.foreignWrites")}>{count(mirror.foreignWrites)}</Fact>
      )}
      {mirror.software !== "" && <Fact name={t("sync.software")}>{mirror.software}</Fact>}
    </DataList>
  );
}
