import { Fieldset, Stack, TagsInput, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { FieldsProps } from "./settings.ts";

const REDIRECT_URLS_MAX = 64;
const ORIGINS_MAX = 32;

/** What the Site is called and where it is. */
export function AddressFields({ settings, onChange }: FieldsProps) {
  const { t } = useTranslation();
  return (
    <Fieldset legend={t("settings.identity")}>
      <Stack>
        <TextInput
          label={t("site.name")}
          value={settings.name}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          maxLength={200}
          required
        />
        <TextInput
          label={t("site.frontendUrl")}
          description={t("site.frontendUrlHint")}
          value={settings.frontendUrl}
          onChange={(event) => onChange({ frontendUrl: event.currentTarget.value })}
          type="url"
          required
        />
        <TagsInput
          label={t("site.redirectUrls")}
          description={t("site.redirectUrlsHint")}
          value={[...settings.redirectUrls]}
          onChange={(redirectUrls) => onChange({ redirectUrls })}
          maxTags={REDIRECT_URLS_MAX}
          acceptValueOnBlur
        />
        <TagsInput
          label={t("site.origins")}
          description={t("site.originsHint")}
          value={[...settings.origins]}
          onChange={(origins) => onChange({ origins })}
          maxTags={ORIGINS_MAX}
          acceptValueOnBlur
        />
        <TextInput
          label={t("site.locale")}
          description={t("site.localeHint")}
          value={settings.locale}
          onChange={(event) => onChange({ locale: event.currentTarget.value })}
          maxLength={35}
        />
      </Stack>
    </Fieldset>
  );
}
