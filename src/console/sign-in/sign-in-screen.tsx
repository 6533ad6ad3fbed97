import { Alert, Box, Center, Group, Paper, Stack, Tabs, Text, Title } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Preferences } from "../layout/preferences.tsx";
import { Icon } from "../parts/icon.tsx";
import { useSessionState } from "../session/context.ts";
import { AdminForm } from "./admin-form.tsx";
import { OperatorForm } from "./operator-form.tsx";

/** The way in, with an operator key or as an admin of a Site. */
export function SignInScreen() {
  const { t } = useTranslation();
  const { end } = useSessionState();
  useEffect(() => {
    document.title = `${t("signIn.title")} · Signet`;
  }, [t]);
  return (
    <Box component="main" mih="100dvh" p="md">
      <Group justify="flex-end">
        <Preferences />
      </Group>
      <Center mih="80dvh">
        <Stack w="100%" maw={420}>
          <Group gap="xs" justify="center">
            <Icon name="key" size={28} />
            <Title order={1}>Signet</Title>
          </Group>
          {end === "expired" && <Alert color="yellow">{t("signIn.expired")}</Alert>}
          <Paper withBorder p="lg">
            <Tabs defaultValue="operator" keepMounted={false}>
              <Tabs.List grow mb="md" aria-label={t("signIn.title")}>
                <Tabs.Tab value="operator">{t("signIn.asOperator")}</Tabs.Tab>
                <Tabs.Tab value="admin">{t("signIn.asAdmin")}</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="operator">
                <OperatorForm />
              </Tabs.Panel>
              <Tabs.Panel value="admin">
                <AdminForm />
              </Tabs.Panel>
            </Tabs>
          </Paper>
          <Text size="sm" c="dimmed" ta="center">
            {t("signIn.memory")}
          </Text>
        </Stack>
      </Center>
    </Box>
  );
}
