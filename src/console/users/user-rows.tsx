import { Anchor, Badge, Group, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { type User, UserState } from "../../../gen/signet/v1/user_pb.ts";
import { nameOf } from "../parts/enum-name.ts";
import { Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";
import { userName } from "./user-name.ts";

const COLOURS = {
  UNSPECIFIED: "gray",
  ACTIVE: "teal",
  INVITED: "blue",
  DISABLED: "orange",
  DELETED: "red",
} as const;

/** Users in a table, each with a way to all that is known of it. */
export function UserRows({ users }: { readonly users: readonly User[] }) {
  const { t } = useTranslation();
  return (
    <Rows label={t("menu.users")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("user.user")}</Table.Th>
          <Table.Th visibleFrom="md">{t("user.username")}</Table.Th>
          <Table.Th>{t("user.state")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("user.roles")}</Table.Th>
          <Table.Th visibleFrom="lg">{t("user.createTime")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {users.map((user) => (
          <Table.Tr key={user.id}>
            <Table.Td>
              <Anchor
                component={Link}
                to={`/sites/${user.siteId}/users/${user.id}`}
                className="breaks"
              >
                {userName(user)}
              </Anchor>
              {user.displayName !== "" && (
                <Text size="sm" c="dimmed" className="breaks">
                  {user.displayName}
                </Text>
              )}
            </Table.Td>
            <Table.Td visibleFrom="md" className="breaks">
              {user.username || "–"}
            </Table.Td>
            <Table.Td>
              <StateBadge state={user.state} />
            </Table.Td>
            <Table.Td visibleFrom="sm">
              <Group gap={4}>
                {user.roles.map((role) => (
                  <Badge key={role} variant="default">
                    {role}
                  </Badge>
                ))}
              </Group>
            </Table.Td>
            <Table.Td visibleFrom="lg">
              <Time time={user.createTime} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Rows>
  );
}

/** Shows the state of a User by word and colour. */
export function StateBadge({ state }: { readonly state: UserState }) {
  const { t } = useTranslation();
  const name = nameOf(UserState, state);
  return (
    <Badge variant="dot" color={COLOURS[name]}>
      {t(`userState.${name}`)}
    </Badge>
  );
}
