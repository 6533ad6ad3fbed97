import { useQuery } from "@connectrpc/connect-query";
import { Badge, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type Mirror, MirrorState } from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import type { User } from "../../../gen/signet/v1/user_pb.ts";
import { Answer } from "../parts/answer.tsx";
import { nameOf } from "../parts/enum-name.ts";
import { millisecondsOf } from "../parts/moment.ts";
import { Nothing, Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";
import { type Holding, holdingOf } from "./holding.ts";

const POLL_MS = 5_000;
const MIRRORS_MAX = 100;

const COLOURS: Readonly<Record<Holding, string>> = {
  current: "teal",
  earlier: "orange",
  uncertain: "gray",
};

/** The Mirrors of the Site, and whether each holds the User as it is now. */
export function UserMirrors({ user }: { readonly user: User }) {
  const { t } = useTranslation();
  const { siteId } = user;
  const options = { refetchInterval: POLL_MS };
  const query = useQuery(
    SyncService.method.listMirrors,
    { siteId, pageSize: MIRRORS_MAX },
    options,
  );
  const health = useQuery(SyncService.method.getSyncHealth, { siteId }, options);
  const asOfMs = millisecondsOf(health.data?.health?.asOf);
  return (
    <Answer query={query}>
      {({ mirrors }) =>
        mirrors.length === 0 ? (
          <Nothing text={t("sync.noMirrors")} />
        ) : (
          <Stack>
            <Text size="sm" c="dimmed">
              {t("holding.explained")}
            </Text>
            <MirrorRows mirrors={mirrors} holding={(mirror) => holdingOf(mirror, user, asOfMs)} />
          </Stack>
        )
      }
    </Answer>
  );
}

function MirrorRows({
  mirrors,
  holding,
}: {
  readonly mirrors: readonly Mirror[];
  readonly holding: (mirror: Mirror) => Holding;
}) {
  const { t } = useTranslation();
  return (
    <Rows label={t("user.mirrors")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("sync.mirror")}</Table.Th>
          <Table.Th>{t("holding.title")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("sync.state")}</Table.Th>
          <Table.Th visibleFrom="md">{t("sync.reportTime")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {mirrors.map((mirror) => (
          <Table.Tr key={mirror.id}>
            <Table.Td className="breaks">{mirror.name}</Table.Td>
            <Table.Td>
              <Badge variant="dot" color={COLOURS[holding(mirror)]}>
                {t(`holding.${holding(mirror)}`)}
              </Badge>
            </Table.Td>
            <Table.Td visibleFrom="sm">
              {t(`mirrorState.${nameOf(MirrorState, mirror.state)}`)}
            </Table.Td>
            <Table.Td visibleFrom="md">
              <Time time={mirror.reportTime} exact />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Rows>
  );
}
