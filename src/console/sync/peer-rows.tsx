import { useQuery } from "@connectrpc/connect-query";
import { Badge, Table, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { PeerProblem, PeerState } from "../../../gen/signet/v1/change_pb.ts";
import { SyncService } from "../../../gen/signet/v1/sync_service_pb.ts";
import { nameOf } from "../parts/enum-name.ts";
import { Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";

/** The other Signets that are asked about Users of the Site; nothing where there are none. */
export function PeerRows({ siteId }: { readonly siteId: string }) {
  const { t } = useTranslation();
  const { data } = useQuery(SyncService.method.listPeers, { siteId });
  if (data === undefined || data.peers.length === 0) return null;
  return (
    <>
      <Title order={2} size="h4">
        {t("peers.title")}
      </Title>
      <Rows label={t("peers.title")}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("peers.name")}</Table.Th>
            <Table.Th>{t("peers.state")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("peers.successTime")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("peers.failureTime")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data.peers.map((peer) => (
            <Table.Tr key={peer.name}>
              <Table.Td className="breaks">{peer.name}</Table.Td>
              <Table.Td>
                <Badge variant="dot" color={peer.state === PeerState.READY ? "teal" : "red"}>
                  {t(`peerState.${nameOf(PeerState, peer.state)}`)}
                </Badge>
              </Table.Td>
              <Table.Td visibleFrom="sm">
                <Time time={peer.successTime} none={t("common.never")} />
              </Table.Td>
              <Table.Td visibleFrom="sm">
                <Time time={peer.failureTime} none={t("common.never")} />{" "}
                {peer.failureTime && t(`peerProblem.${nameOf(PeerProblem, peer.lastProblem)}`)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Rows>
    </>
  );
}
