import { Fieldset, Stack, Switch, TagsInput, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { FieldsProps } from "./settings.ts";

const DOMAINS_MAX = 32;

/** What reaches beyond the Site, and so is for operators alone. */
export function OperatorFields({ settings, onChange }: FieldsProps) {
  const { t } = useTranslation();
  const { mailSender } = settings;
  return (
    <Fieldset legend={t("settings.operator")}>
      <Stack>
        <TagsInput
          label={t("site.domains")}
          description={t("site.domainsHint")}
          value={[...settings.domains]}
          onChange={(domains) => onChange({ domains })}
          maxTags={DOMAINS_MAX}
          acceptValueOnBlur
        />
        <TextInput
          label={t("site.senderAddress")}
          description={t("site.senderAddressHint")}
          value={mailSender.address}
          onChange={({ currentTarget: { value } }) =>
            onChange({ mailSender: { ...mailSender, address: value } })
          }
          type="email"
        />
        <TextInput
          label={t("site.senderName")}
          value={mailSender.name}
          onChange={({ currentTarget: { value } }) =>
            onChange({ mailSender: { ...mailSender, name: value } })
          }
          maxLength={200}
        />
        <Switch
          label={t("site.protection")}
          description={t("site.protectionHint")}
          checked={settings.deletionProtected}
          onChange={(event) => onChange({ deletionProtected: event.currentTarget.checked })}
        />
      </Stack>
    </Fieldset>
  );
}
