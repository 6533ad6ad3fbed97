import { Fieldset, NumberInput, Select, Stack, Switch, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { MfaPolicy, SigningAlgorithm } from "../../../gen/signet/v1/site_pb.ts";
import { nameOf, namesOf } from "../parts/enum-name.ts";
import type { FieldsProps } from "./settings.ts";

const PASSWORD_LENGTH_MIN = 8;
const PASSWORD_LENGTH_MAX = 64;

/** How people get in, and what their tokens are. */
export function SignInFields({ settings, onChange }: FieldsProps) {
  const { t } = useTranslation();
  return (
    <Fieldset legend={t("settings.signIn")}>
      <Stack>
        <Switch
          label={t("site.selfRegistration")}
          checked={settings.selfRegistration}
          onChange={(event) => onChange({ selfRegistration: event.currentTarget.checked })}
        />
        <Switch
          label={t("site.publicCalls")}
          description={t("site.publicCallsHint")}
          checked={settings.publicCalls}
          onChange={(event) => onChange({ publicCalls: event.currentTarget.checked })}
        />
        <Select
          label={t("site.mfaPolicy")}
          data={namesOf(MfaPolicy).map((value) => ({ value, label: t(`mfaPolicy.${value}`) }))}
          value={nameOf(MfaPolicy, settings.mfaPolicy)}
          onChange={(name) => name && onChange({ mfaPolicy: MfaPolicy[name] })}
          allowDeselect={false}
        />
        <NumberInput
          label={t("site.passwordLengthMin")}
          value={settings.passwordLengthMin}
          onChange={(value) => onChange({ passwordLengthMin: Number(value) })}
          min={PASSWORD_LENGTH_MIN}
          max={PASSWORD_LENGTH_MAX}
          allowDecimal={false}
        />
        <Select
          label={t("site.signingAlgorithm")}
          description={t("site.signingAlgorithmHint")}
          data={[...namesOf(SigningAlgorithm)]}
          value={nameOf(SigningAlgorithm, settings.signingAlgorithm)}
          onChange={(name) => {
            const found = namesOf(SigningAlgorithm).find((known) => known === name);
            if (found) onChange({ signingAlgorithm: SigningAlgorithm[found] });
          }}
          allowDeselect={false}
        />
        <TextInput
          label={t("site.defaultAudience")}
          description={t("site.defaultAudienceHint")}
          value={settings.defaultAudience}
          onChange={(event) => onChange({ defaultAudience: event.currentTarget.value })}
          maxLength={200}
        />
      </Stack>
    </Fieldset>
  );
}
