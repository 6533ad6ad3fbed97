import { ColorInput, Fieldset, Stack, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type FieldsProps, LINK_PAGES } from "./settings.ts";

/** Where the links in mails lead, and how the pages look that Signet hosts for them. */
export function HostedPageFields({ settings, onChange }: FieldsProps) {
  const { t } = useTranslation();
  const { linkPages } = settings;
  return (
    <Fieldset legend={t("settings.linkPages")}>
      <Stack>
        <ColorInput
          label={t("site.accentColor")}
          description={t("site.accentColorHint")}
          value={settings.accentColor}
          onChange={(accentColor) => onChange({ accentColor })}
          withEyeDropper={false}
        />
        {LINK_PAGES.map((name) => (
          <TextInput
            key={name}
            label={t(`linkPage.${name}`)}
            description={t("site.linkPageHint")}
            value={linkPages[name]}
            onChange={({ currentTarget: { value } }) =>
              onChange({ linkPages: { ...linkPages, [name]: value } })
            }
            type="url"
            maxLength={2_048}
          />
        ))}
      </Stack>
    </Fieldset>
  );
}
