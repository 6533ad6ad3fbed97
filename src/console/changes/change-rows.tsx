import { Anchor, Badge, Group, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { type Change, ChangeKind } from "../../../gen/signet/v1/change_pb.ts";
import { nameOf } from "../parts/enum-name.ts";
import { Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";
import { userName } from "../users/user-name.ts";

/** Changes in a table, the newest first. */
export function ChangeRows({ changes }: { readonly changes: readonly Change[] }) {
  const { t } = useTranslation();
  return (
    <Rows label={t("menu.changes")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th visibleFrom="sm">{t("changes.position")}</Table.Th>
          <Table.Th>{t("changes.kind")}</Table.Th>
          <Table.Th>{t("user.user")}</Table.Th>
          <Table.Th visibleFrom="md">{t("user.version")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("changes.time")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {changes.map((change) => (
          <ChangeRow key={String(change.position)} change={change} />
        ))}
      </Table.Tbody>
    </Rows>
  );
}

function ChangeRow({ change }: { readonly change: Change }) {
  const { t } = useTranslation();
  const { user } = change;
  const kinds = [change.kind, ...change.furtherKinds].map((kind) => nameOf(ChangeKind, kind));
  return (
    <Table.Tr>
      <Table.Td visibleFrom="sm">{String(change.position)}</Table.Td>
      <Table.Td>
        <Group gap={4}>
          {kinds.map((kind) => (
            <Badge key={kind} variant="default">
              {t(`changeKind.${kind}`)}
            </Badge>
          ))}
          {change.bulk && <Badge variant="outline">{t("changes.bulk")}</Badge>}
        </Group>
        <Text size="xs" c="dimmed" hiddenFrom="sm">
          <Time time={change.commitTime} exact />
        </Text>
      </Table.Td>
      <Table.Td className="breaks">
        {user && (
          <Anchor component={Link} to={`/sites/${user.siteId}/users/${user.id}`}>
            {userName(user)}
          </Anchor>
        )}
      </Table.Td>
      <Table.Td visibleFrom="md">{String(user?.version ?? "")}</Table.Td>
      <Table.Td visibleFrom="sm">
        <Time time={change.commitTime} exact />
      </Table.Td>
    </Table.Tr>
  );
}
