import { Button, Group, Stack, TagsInput, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { UserService } from "../../../gen/signet/v1/user_service_pb.ts";
import { useAct } from "../parts/act.ts";
import { Refused } from "../parts/answer.tsx";
import { Dialog } from "../parts/dialog.tsx";

const ROLES_MAX = 32;

/** What {@link InviteUser} is given. */
interface InviteUserProps {
  readonly siteId: string;
  readonly onClose: () => void;
}

/** Invites a person by mail. */
export function InviteUser(props: InviteUserProps & { readonly opened: boolean }) {
  const { t } = useTranslation();
  return (
    <Dialog opened={props.opened} onClose={props.onClose} title={t("users.invite")}>
      <InviteForm {...props} />
    </Dialog>
  );
}

function InviteForm({ siteId, onClose }: InviteUserProps) {
  const { t } = useTranslation();
  const [id] = useState(() => crypto.randomUUID());
  const [email, setEmail] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [roles, setRoles] = useState<string[]>(["user"]);
  const invite = useAct(UserService.method.inviteUser, t("users.invited"), onClose);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    invite.mutate({ siteId, id, email, displayName, roles });
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label={t("user.email")}
          description={t("users.inviteHint")}
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          type="email"
          maxLength={254}
          required
          data-autofocus
        />
        <TextInput
          label={t("user.displayName")}
          value={displayName}
          onChange={(event) => setDisplayName(event.currentTarget.value)}
          maxLength={200}
        />
        <TagsInput
          label={t("user.roles")}
          value={roles}
          onChange={setRoles}
          data={["user", "admin"]}
          maxTags={ROLES_MAX}
          acceptValueOnBlur
        />
        {invite.error && <Refused error={invite.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("common.cancel")}
          </Button>
          <Button type="submit" loading={invite.isPending}>
            {t("users.invite")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
