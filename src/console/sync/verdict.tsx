import { Alert } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { HealthVerdict, type SyncHealth } from "../../../gen/signet/v1/change_pb.ts";
import { nameOf } from "../parts/enum-name.ts";
import { Time } from "../parts/time.tsx";

const COLOURS = {
  UNSPECIFIED: "gray",
  HEALTHY: "teal",
  DEGRADED: "yellow",
  UNHEALTHY: "red",
} as const;

/** Says in a word how the Site's sync is doing. */
export function Verdict({ health }: { readonly health: SyncHealth }) {
  const { t } = useTranslation();
  const verdict = nameOf(HealthVerdict, health.verdict);
  return (
    <Alert color={COLOURS[verdict]} variant="outline" title={t(`verdict.${verdict}`)} role="status">
      {t(`verdictMeans.${verdict}`)} <Time time={health.asOf} exact />
    </Alert>
  );
}
