import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Alert, Button, Checkbox, Group, Select, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Scope } from "../../../gen/signet/v1/access_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Refused } from "../parts/answer.tsx";
import { Copyable } from "../parts/copyable.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { nameOf } from "../parts/enum-name.ts";
import { useIsOperator } from "../session/context.ts";
import { OPERATOR_SCOPES, SCOPES, scopeName } from "./scope-name.ts";

const DAY_MS = 86_400_000;

/** After how many days a key stops to work; 0: never. */
const LIFETIMES_DAYS = [0, 30, 90, 365] as const;

/** What {@link CreateKey} is given. */
interface CreateKeyProps {
  /** Absent: an operator key. */
  readonly siteId: string | undefined;
  readonly onClose: () => void;
}

/** Creates a key and shows its secret, once. */
export function CreateKey(props: CreateKeyProps & { readonly opened: boolean }) {
  const { t } = useTranslation();
  return (
    <Dialog
      opened={props.opened}
      onClose={props.onClose}
      title={t("keys.create")}
      // A click beside it would lose the secret.
      closeOnClickOutside={false}
    >
      <CreateKeyForm {...props} />
    </Dialog>
  );
}

function CreateKeyForm({ siteId, onClose }: CreateKeyProps) {
  const { t } = useTranslation();
  const [id] = useState(() => crypto.randomUUID());
  const [label, setLabel] = useState("");
  const [scopes, setScopes] = useState<readonly string[]>([]);
  const [days, setDays] = useState(0);
  const create = useAct(SiteService.method.createApiKey, undefined);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const expiry = days > 0 && {
      expireTime: timestampFromDate(new Date(Date.now() + days * DAY_MS)),
    };
    const chosen = SCOPES.filter((scope) => scopes.includes(scopeName(scope)));
    const owner = siteId === undefined ? { operator: true } : { siteId, scopes: chosen };
    create.mutate({ id, label, ...owner, ...expiry });
  };
  if (create.data) return <Secret secret={create.data.secret} onClose={onClose} />;
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label={t("keys.label")}
          description={t("keys.labelHint")}
          value={label}
          onChange={(event) => setLabel(event.currentTarget.value)}
          maxLength={200}
          required
          data-autofocus
        />
        {siteId !== undefined && <ScopeChoice value={scopes} onChange={setScopes} />}
        <Select
          label={t("keys.expiry")}
          data={LIFETIMES_DAYS.map((count) => ({
            value: String(count),
            label: count === 0 ? t("common.never") : t("keys.days", { count }),
          }))}
          value={String(days)}
          onChange={(value) => setDays(Number(value))}
          allowDeselect={false}
        />
        {create.error && <Refused error={create.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            type="submit"
            loading={create.isPending}
            disabled={siteId !== undefined && scopes.length === 0}
          >
            {t("keys.create")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function ScopeChoice({
  value,
  onChange,
}: {
  readonly value: readonly string[];
  readonly onChange: (scopes: readonly string[]) => void;
}) {
  const { t } = useTranslation();
  const isOperator = useIsOperator();
  const mayGive = (scope: Scope): boolean => isOperator || !OPERATOR_SCOPES.includes(scope);
  return (
    <Checkbox.Group label={t("keys.scopes")} value={[...value]} onChange={onChange} withAsterisk>
      <Stack gap="xs" mt="xs">
        {SCOPES.filter(mayGive).map((scope) => (
          <Checkbox
            key={scope}
            value={scopeName(scope)}
            label={scopeName(scope)}
            description={t(`scope.${nameOf(Scope, scope)}`)}
          />
        ))}
      </Stack>
    </Checkbox.Group>
  );
}

/** Shows a secret that cannot be had again. */
export function Secret({
  secret,
  onClose,
}: {
  readonly secret: string;
  readonly onClose: () => void;
}) {
  const { t } = useTranslation();
  return (
    <Stack>
      <Alert color="yellow" variant="outline">
        {secret === "" ? t("keys.secretRepeated") : t("keys.secretOnce")}
      </Alert>
      {secret !== "" && <Copyable text={secret} label={t("keys.secret")} />}
      <Group justify="flex-end">
        <Button onClick={onClose} data-autofocus>
          {t("keys.kept")}
        </Button>
      </Group>
    </Stack>
  );
}
