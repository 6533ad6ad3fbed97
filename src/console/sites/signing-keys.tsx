import { Badge, Button, Fieldset, Group, Stack, Table, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { SigningAlgorithm } from "../../../gen/signet/v1/site_pb.ts";
import {
  type SigningKey,
  SigningKeyState,
  SiteService,
} from "../../../gen/signet/v1/site_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Confirm } from "../parts/confirm.tsx";
import { nameOf } from "../parts/enum-name.ts";
import { Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";

/** Rotates the keys that sign access tokens, or withdraws those that have leaked. */
export function SigningKeys({ siteId }: { readonly siteId: string }) {
  const { t } = useTranslation();
  const [isRotating, rotating] = useDisclosure();
  const [isWithdrawing, withdrawing] = useDisclosure();
  const rotate = useAct(SiteService.method.rotateSigningKey, t("signingKeys.done"), () => {
    rotating.close();
    withdrawing.close();
  });
  return (
    <Fieldset legend={t("signingKeys.title")}>
      <Stack>
        <Text size="sm">{t("signingKeys.description")}</Text>
        <Group>
          <Button variant="default" onClick={rotating.open}>
            {t("signingKeys.rotate")}
          </Button>
          <Button color="red" variant="outline" onClick={withdrawing.open}>
            {t("signingKeys.withdraw")}
          </Button>
        </Group>
        {rotate.data && <KeyRows keys={rotate.data.signingKeys} />}
      </Stack>
      <Confirm
        opened={isRotating}
        onClose={rotating.close}
        title={t("signingKeys.rotate")}
        action={t("signingKeys.rotate")}
        onConfirm={() => rotate.mutate({ siteId })}
        isPending={rotate.isPending}
        error={rotate.error}
      >
        {t("signingKeys.rotateWhat")}
      </Confirm>
      <Confirm
        opened={isWithdrawing}
        onClose={withdrawing.close}
        title={t("signingKeys.withdraw")}
        action={t("signingKeys.withdraw")}
        onConfirm={() => rotate.mutate({ siteId, withdraw: true })}
        isPending={rotate.isPending}
        error={rotate.error}
      >
        {t("signingKeys.withdrawWhat")}
      </Confirm>
    </Fieldset>
  );
}

function KeyRows({ keys }: { readonly keys: readonly SigningKey[] }) {
  const { t } = useTranslation();
  return (
    <Rows label={t("signingKeys.title")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("signingKeys.id")}</Table.Th>
          <Table.Th>{t("signingKeys.state")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("signingKeys.publishTime")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {keys.map((key) => (
          <Table.Tr key={key.id}>
            <Table.Td className="breaks">
              {key.id} ({nameOf(SigningAlgorithm, key.algorithm)})
            </Table.Td>
            <Table.Td>
              <Badge variant="outline">
                {t(`signingKeyState.${nameOf(SigningKeyState, key.state)}`)}
              </Badge>
            </Table.Td>
            <Table.Td visibleFrom="sm">
              <Time time={key.publishTime} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Rows>
  );
}
