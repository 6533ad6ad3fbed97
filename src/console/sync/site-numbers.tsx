import { Card, SimpleGrid, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { SyncHealth } from "../../../gen/signet/v1/change_pb.ts";
import { formatCount, formatDuration } from "../parts/moment.ts";

/** The numbers of the Site's sync; they are kept by Signet, so that no table is counted. */
export function SiteNumbers({ health }: { readonly health: SyncHealth }) {
  const { t, i18n } = useTranslation();
  const count = (number: bigint | undefined): string => formatCount(number ?? 0n, i18n.language);
  const { users, mirrors, webhooks } = health;
  const numbers = [
    { name: t("numbers.head"), value: count(health.head) },
    { name: t("numbers.active"), value: count(users?.activeCount) },
    { name: t("numbers.invited"), value: count(users?.invitedCount) },
    { name: t("numbers.disabled"), value: count(users?.disabledCount) },
    { name: t("numbers.mirrors"), value: count(mirrors?.count) },
    {
      name: t("numbers.lag"),
      value: formatDuration(Number(mirrors?.lagMsMax ?? 0n), i18n.language),
    },
    { name: t("numbers.pending"), value: count(webhooks?.pendingCount) },
    { name: t("numbers.dead"), value: count(webhooks?.deadCount) },
  ];
  return (
    <SimpleGrid cols={{ base: 2, sm: 4 }}>
      {numbers.map(({ name, value }) => (
        <Card key={name} withBorder padding="sm">
          <Text size="xs" c="dimmed">
            {name}
          </Text>
          <Text fw={600} size="lg">
            {value}
          </Text>
        </Card>
      ))}
    </SimpleGrid>
  );
}
