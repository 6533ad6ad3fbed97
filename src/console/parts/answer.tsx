import { Alert, Button, Center, Loader } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "./refusal.ts";

/** Shows that an answer is awaited. */
export function Waiting() {
  const { t } = useTranslation();
  return (
    <Center mih="40vh">
      <Loader aria-label={t("common.loading")} role="status" />
    </Center>
  );
}

/**
 * Shows what a query has brought: the answer, why there is none, or that it is awaited. An answer
 * stays while it is asked for anew, also where that fails, which is told.
 */
export function Answer<T>({
  query,
  children,
}: {
  readonly query: UseQueryResult<T, unknown>;
  readonly children: (data: T) => ReactNode;
}) {
  const { t } = useTranslation();
  if (query.data !== undefined) {
    return (
      <>
        {query.isRefetchError && <Refused error={query.error} />}
        {children(query.data)}
      </>
    );
  }
  if (query.error === null) return <Waiting />;
  return (
    <Refused error={query.error}>
      <Button variant="default" size="xs" mt="sm" onClick={() => void query.refetch()}>
        {t("common.tryAgain")}
      </Button>
    </Refused>
  );
}

/** Explains in plain words why a call was refused. */
export function Refused({
  error,
  children,
}: {
  readonly error: unknown;
  readonly children?: ReactNode;
}) {
  const words = useRefusalWords();
  const { t } = useTranslation();
  return (
    <Alert color="red" variant="outline" title={t("common.refused")} role="alert">
      {words(error)}
      {children && <div>{children}</div>}
    </Alert>
  );
}

/** Returns what puts an error into words. */
export function useRefusalWords(): (error: unknown) => string {
  const { t } = useTranslation();
  return (error) => {
    const { reason, metadata } = refusalOf(error);
    const facts = [metadata.field, metadata.problem, metadata.incident_id].filter(Boolean);
    const words = t(`errors.${reason}`);
    return facts.length === 0 ? words : `${words} (${facts.join(": ")})`;
  };
}
