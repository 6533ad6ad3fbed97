import { Badge, Table } from "@mantine/core";
import { useTranslation } from "react-i18next";
import {
  HealthVerdict,
  type Mirror,
  type SyncHealth,
  type SyncProblem,
  SyncProblemKind,
} from "../../../gen/signet/v1/change_pb.ts";
import { nameOf } from "../parts/enum-name.ts";
import { formatCount } from "../parts/moment.ts";
import { Rows } from "../parts/rows.tsx";

/** What is not in step, the gravest first. */
export function Problems({
  health,
  mirrors,
}: {
  readonly health: SyncHealth;
  readonly mirrors: readonly Mirror[];
}) {
  const { t, i18n } = useTranslation();
  const nameOfSubject = ({ subjectId }: SyncProblem): string =>
    mirrors.find(({ id }) => id === subjectId)?.name ?? (subjectId || t("menu.site"));
  const count = (value: bigint): string => formatCount(value, i18n.language);
  if (health.problems.length === 0) return null;
  return (
    <Rows label={t("sync.problems")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t("sync.problem")}</Table.Th>
          <Table.Th>{t("sync.subject")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("sync.value")}</Table.Th>
          <Table.Th visibleFrom="sm">{t("sync.threshold")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {health.problems.map((problem) => (
          <Table.Tr key={`${problem.kind} ${problem.subjectId}`}>
            <Table.Td>
              <Badge
                variant="dot"
                h="auto"
                miw={0}
                color={problem.verdict === HealthVerdict.UNHEALTHY ? "red" : "yellow"}
                styles={{ label: { whiteSpace: "normal" } }}
              >
                {t(`problemKind.${nameOf(SyncProblemKind, problem.kind)}`)}
              </Badge>
            </Table.Td>
            <Table.Td className="breaks">{nameOfSubject(problem)}</Table.Td>
            <Table.Td visibleFrom="sm">{count(problem.value)}</Table.Td>
            <Table.Td visibleFrom="sm">
              {problem.threshold === 0n ? "–" : count(problem.threshold)}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Rows>
  );
}
