import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import { useRefusalWords } from "../parts/answer.tsx";
import { reasonOf } from "../parts/refusal.ts";
import { useConsole } from "../session/context.ts";
import { type AdminLogin, answerChallenge, type LoginStep, logIn } from "./admin-login.ts";

/** Signs an admin in: Site, name and password, and the second factor where there is one. */
export function AdminForm() {
  const { session, publicTransport } = useConsole();
  const [login, setLogin] = useState<AdminLogin>({ site: "", name: "", password: "" });
  const [code, setCode] = useState("");
  const follow = (step: LoginStep): void => {
    if (step.kind === "signed_in") session.begin(step.caller);
  };
  const first = useMutation({
    mutationFn: () => logIn(publicTransport, login),
    onSuccess: follow,
  });
  const challenge = first.data?.kind === "code_wanted" ? first.data : undefined;
  const second = useMutation({
    mutationFn: async () =>
      challenge && answerChallenge(publicTransport, challenge, login.name, code),
    onSuccess: (step) => step && follow(step),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (challenge) second.mutate();
    else first.mutate();
  };
  const current = challenge ? second : first;
  return (
    <form onSubmit={submit}>
      <Stack>
        {challenge ? (
          <CodeField code={code} onChange={setCode} />
        ) : (
          <LoginFields login={login} onChange={setLogin} />
        )}
        <Outcome step={current.data} error={current.error} />
        <GoButton isPending={current.isPending} />
      </Stack>
    </form>
  );
}

function GoButton({ isPending }: { readonly isPending: boolean }) {
  const { t } = useTranslation();
  return (
    <Button type="submit" loading={isPending}>
      {t("signIn.go")}
    </Button>
  );
}

function LoginFields({
  login,
  onChange,
}: {
  readonly login: AdminLogin;
  readonly onChange: (login: AdminLogin) => void;
}) {
  const { t } = useTranslation();
  return (
    <>
      <TextInput
        label={t("signIn.site")}
        description={t("signIn.siteHint")}
        placeholder="shop.example.com"
        value={login.site}
        onChange={(event) => onChange({ ...login, site: event.currentTarget.value })}
        autoCapitalize="none"
        required
      />
      <TextInput
        label={t("signIn.name")}
        value={login.name}
        onChange={(event) => onChange({ ...login, name: event.currentTarget.value })}
        autoComplete="username"
        autoCapitalize="none"
        required
      />
      <PasswordInput
        label={t("signIn.password")}
        value={login.password}
        onChange={(event) => onChange({ ...login, password: event.currentTarget.value })}
        autoComplete="current-password"
        required
        visibilityToggleButtonProps={{ "aria-label": t("signIn.show"), tabIndex: 0 }}
      />
    </>
  );
}

/** Asks for the second factor. */
export function CodeField({
  code,
  onChange,
}: {
  readonly code: string;
  readonly onChange: (code: string) => void;
}) {
  const { t } = useTranslation();
  return (
    <TextInput
      label={t("signIn.code")}
      description={t("signIn.codeHint")}
      value={code}
      onChange={(event) => onChange(event.currentTarget.value)}
      autoComplete="one-time-code"
      maxLength={64}
      data-autofocus
      required
    />
  );
}

/** Says why the login has not led in. */
function Outcome({
  step,
  error,
}: {
  readonly step: LoginStep | undefined;
  readonly error: unknown;
}) {
  const { t } = useTranslation();
  const words = useRefusalWords();
  const text = (): string | undefined => {
    if (step?.kind === "no_admin") return t("signIn.noAdmin");
    if (step?.kind === "factor_missing") return t("signIn.factorMissing");
    if (!error) return undefined;
    return isSiteClosed(error) ? t("signIn.siteRefused") : words(error);
  };
  const shown = text();
  if (shown === undefined) return null;
  return (
    <Alert color="red" variant="outline" role="alert">
      {shown}
    </Alert>
  );
}

/** Without a credential, a Site that is closed to browsers answers like one that is not there. */
function isSiteClosed(error: unknown): boolean {
  const closed: readonly ErrorReason[] = [
    ErrorReason.CREDENTIAL_INVALID,
    ErrorReason.SITE_NOT_FOUND,
    ErrorReason.ACCESS_DENIED,
  ];
  return closed.includes(reasonOf(error));
}
