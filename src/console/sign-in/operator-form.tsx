import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { Alert, Button, PasswordInput, Stack } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import { useRefusalWords } from "../parts/answer.tsx";
import { useConsole } from "../session/context.ts";

/** Signs in with an operator key, once a call with it has succeeded. */
export function OperatorForm() {
  const { t } = useTranslation();
  const { session } = useConsole();
  const words = useRefusalWords();
  const [key, setKey] = useState("");
  const trial = useMutation({
    mutationFn: tryKey,
    onSuccess: (_, tried) => session.begin({ kind: "operator", key: tried }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    trial.mutate(key.trim());
  };
  const isRefused = REFUSALS.includes(ConnectError.from(trial.error).code);
  return (
    <form onSubmit={submit}>
      <Stack>
        <PasswordInput
          label={t("signIn.operatorKey")}
          description={t("signIn.operatorKeyHint")}
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
          required
          visibilityToggleButtonProps={{ "aria-label": t("signIn.show"), tabIndex: 0 }}
        />
        {trial.error && (
          <Alert color="red" variant="outline" role="alert">
            {isRefused ? t("signIn.keyRefused") : words(trial.error)}
          </Alert>
        )}
        <Button type="submit" loading={trial.isPending}>
          {t("signIn.go")}
        </Button>
      </Stack>
    </form>
  );
}

/** What a key is answered that is unknown, or that is of a Site. */
const REFUSALS: readonly Code[] = [Code.Unauthenticated, Code.PermissionDenied];

/** A header takes no other characters, and an answer that tells less than Signet's would come. */
async function tryKey(key: string): Promise<void> {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new ConnectError("not a key", Code.Unauthenticated);
  const transport = createConnectTransport({ baseUrl: window.location.origin });
  const headers = { authorization: `Bearer ${key}` };
  await createClient(SiteService, transport).listSites({ pageSize: 1 }, { headers });
}
