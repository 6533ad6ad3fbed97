import { Fieldset, NumberInput, SimpleGrid } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { formatDuration } from "../parts/moment.ts";
import { type FieldsProps, LIFETIMES } from "./settings.ts";

/** How long things live, in seconds as in the proto, with what that is in larger units. */
export function LifetimeFields({ settings, onChange }: FieldsProps) {
  const { t, i18n } = useTranslation();
  const { lifetimes } = settings;
  return (
    <Fieldset legend={t("settings.lifetimes")}>
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        {LIFETIMES.map((name) => (
          <NumberInput
            key={name}
            label={t(`lifetime.${name}`)}
            description={formatDuration(lifetimes[name] * 1_000, i18n.language)}
            value={lifetimes[name]}
            onChange={(value) => onChange({ lifetimes: { ...lifetimes, [name]: Number(value) } })}
            suffix=" s"
            min={0}
            allowDecimal={false}
          />
        ))}
      </SimpleGrid>
    </Fieldset>
  );
}
