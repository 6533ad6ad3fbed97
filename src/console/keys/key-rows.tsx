import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ApiKey } from "../../../gen/signet/v1/site_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";
import { scopeName } from "./scope-name.ts";

/** Keys in a table, each with a way to revoke it. */
export function KeyRows({ keys }: { readonly keys: readonly ApiKey[] }) {
  const { t } = useTranslation();
  const [asked, setAsked] = useState<ApiKey>();
  const revoke = useAct(SiteService.method.revokeApiKey, t("keys.revoked"), () =>
    setAsked(undefined),
  );
  return (
    <>
      <Rows label={t("menu.keys")}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("keys.label")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("keys.scopes")}</Table.Th>
            <Table.Th visibleFrom="md">{t("keys.createTime")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("keys.lastUseTime")}</Table.Th>
            <Table.Th>{t("keys.state")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {keys.map((key) => (
            <KeyRow key={key.id} apiKey={key} onRevoke={() => setAsked(key)} />
          ))}
        </Table.Tbody>
      </Rows>
      <Confirm
        opened={asked !== undefined}
        onClose={() => setAsked(undefined)}
        title={t("keys.revoke")}
        action={t("keys.revoke")}
        onConfirm={() => asked && revoke.mutate({ siteId: asked.siteId, apiKeyId: asked.id })}
        isPending={revoke.isPending}
        error={revoke.error}
      >
        {asked && t("keys.revokeWhat", { label: asked.label })}
      </Confirm>
    </>
  );
}

function KeyRow({ apiKey, onRevoke }: { readonly apiKey: ApiKey; readonly onRevoke: () => void }) {
  const { t } = useTranslation();
  const scopes = apiKey.scopes.map((scope) => scopeName(scope));
  return (
    <Table.Tr>
      <Table.Td className="breaks">
        <Stack gap={2}>
          {apiKey.label}
          <Text size="xs" c="dimmed" hiddenFrom="sm">
            {scopes.join(", ")}
          </Text>
        </Stack>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Group gap={4}>
          {scopes.map((scope) => (
            <Badge key={scope} variant="default">
              {scope}
            </Badge>
          ))}
          {apiKey.scopes.length === 0 && t("keys.everything")}
        </Group>
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Time time={apiKey.createTime} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Time time={apiKey.lastUseTime} none={t("common.never")} />
      </Table.Td>
      <Table.Td>
        <KeyState apiKey={apiKey} onRevoke={onRevoke} />
      </Table.Td>
    </Table.Tr>
  );
}

function KeyState({
  apiKey,
  onRevoke,
}: {
  readonly apiKey: ApiKey;
  readonly onRevoke: () => void;
}) {
  const { t } = useTranslation();
  const { revokeTime, expireTime } = apiKey;
  if (revokeTime) return <Badge color="gray">{t("keys.revokedState")}</Badge>;
  if (expireTime && timestampMs(expireTime) <= Date.now()) {
    return <Badge color="gray">{t("keys.expiredState")}</Badge>;
  }
  return (
    <Stack gap={4} align="start">
      <Button
        size="compact-sm"
        variant="default"
        onClick={onRevoke}
        aria-label={t("keys.revokeOne", { label: apiKey.label })}
      >
        {t("keys.revoke")}
      </Button>
      {expireTime && (
        <Text size="xs" c="dimmed">
          {t("keys.until")} <Time time={expireTime} />
        </Text>
      )}
    </Stack>
  );
}
