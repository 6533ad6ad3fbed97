import { Button, Fieldset, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import type { Site } from "../../../gen/signet/v1/site_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Confirm } from "../parts/confirm.tsx";

/** Deletes a Site, once its name has been typed. */
export function DeleteSite({ site }: { readonly site: Site }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [opened, asking] = useDisclosure();
  const remove = useAct(SiteService.method.deleteSite, t("deleteSite.done"), () => {
    void navigate("/sites");
  });
  return (
    <Fieldset legend={t("deleteSite.title")}>
      <Stack align="start">
        <Text size="sm">
          {site.deletionProtected ? t("deleteSite.protected") : t("deleteSite.what")}
        </Text>
        <Button
          color="red"
          variant="outline"
          disabled={site.deletionProtected}
          onClick={asking.open}
        >
          {t("deleteSite.title")}
        </Button>
      </Stack>
      <Confirm
        opened={opened}
        onClose={asking.close}
        title={t("deleteSite.title")}
        action={t("common.delete")}
        onConfirm={() => remove.mutate({ siteId: site.id })}
        isPending={remove.isPending}
        error={remove.error}
        typed={site.name}
      >
        {t("deleteSite.what")}
      </Confirm>
    </Fieldset>
  );
}
