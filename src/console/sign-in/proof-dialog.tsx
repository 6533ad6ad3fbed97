import { createClient } from "@connectrpc/connect";
import { Alert, Button, Group, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { AuthService } from "../../../gen/signet/v1/auth_service_pb.ts";
import { useRefusalWords } from "../parts/answer.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { millisecondsOf } from "../parts/moment.ts";
import { useCaller, useConsole } from "../session/context.ts";
import { CodeField } from "./admin-form.tsx";
import { codeOf } from "./admin-login.ts";

/** Asks an admin for the password once more, where a call needs a recent login. */
export function ProofDialog() {
  const { t } = useTranslation();
  const { proof } = useConsole();
  const isWanted = useSyncExternalStore(proof.subscribe, proof.isWanted);
  return (
    <Dialog
      opened={isWanted}
      onClose={() => proof.answer(false)}
      title={t("proof.title")}
      zIndex={400}
    >
      <ProofForm />
    </Dialog>
  );
}

function ProofForm() {
  const { t } = useTranslation();
  const { proof, session, transport } = useConsole();
  const caller = useCaller();
  const words = useRefusalWords();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const needsCode = caller.kind === "admin" && caller.mfaEnabled;
  const attempt = useMutation({
    async mutationFn() {
      const given = needsCode ? { password, code: codeOf(code) } : { password };
      return await createClient(AuthService, transport).reauthenticate(given);
    },
    onSuccess({ accessToken, accessTokenExpireTime }) {
      session.prove(accessToken, millisecondsOf(accessTokenExpireTime) ?? 0);
      proof.answer(true);
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    attempt.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text size="sm">{t("proof.why")}</Text>
        <PasswordInput
          label={t("signIn.password")}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          autoComplete="current-password"
          data-autofocus
          required
          visibilityToggleButtonProps={{ "aria-label": t("signIn.show"), tabIndex: 0 }}
        />
        {needsCode && <CodeField code={code} onChange={setCode} />}
        {attempt.error && (
          <Alert color="red" variant="outline" role="alert">
            {words(attempt.error)}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={() => proof.answer(false)}>
            {t("common.cancel")}
          </Button>
          <Button type="submit" loading={attempt.isPending}>
            {t("proof.go")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
