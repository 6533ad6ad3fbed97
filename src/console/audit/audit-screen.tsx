import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Grid, TagsInput, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { Page } from "../parts/page.tsx";
import { useListPlace } from "../parts/pages.tsx";
import { SearchInput } from "../parts/search-input.tsx";
import { AuditList, type AuditQuestion } from "./audit-list.tsx";

const KINDS_MAX = 32;

/** Which events are shown; times are local, to the minute, as the browser's own field has them. */
interface AuditFilter {
  readonly actorId: string;
  readonly subjectId: string;
  readonly kinds: readonly string[];
  readonly from: string;
  readonly until: string;
}

const NO_FILTER: AuditFilter = { actorId: "", subjectId: "", kinds: [], from: "", until: "" };

/** What was done on a Site, or, where the address names none, what concerns no Site. */
export function AuditScreen() {
  const { t } = useTranslation();
  const { siteId } = useParams();
  const { filter, setFilter } = useListPlace(NO_FILTER);
  const owner = siteId === undefined ? { withoutSite: true } : { siteId };
  const question = { ...owner, ...questionOf(filter) };
  return (
    <Page
      title={siteId === undefined ? t("menu.operatorAudit") : t("menu.audit")}
      description={t("audit.description")}
    >
      <AuditFilters filter={filter} onChange={setFilter} />
      <AuditList key={JSON.stringify(filter)} question={question} />
    </Page>
  );
}

function questionOf(filter: AuditFilter): AuditQuestion {
  return {
    actorId: filter.actorId.trim(),
    subjectId: filter.subjectId.trim(),
    kinds: [...filter.kinds],
    ...(filter.from !== "" && { timeFrom: timestampFromDate(new Date(filter.from)) }),
    ...(filter.until !== "" && { timeUntil: timestampFromDate(new Date(filter.until)) }),
  };
}

function AuditFilters({
  filter,
  onChange,
}: {
  readonly filter: AuditFilter;
  readonly onChange: (change: Partial<AuditFilter>) => void;
}) {
  const { t } = useTranslation();
  return (
    <Grid role="search" aria-label={t("audit.filter")} align="end">
      <Grid.Col span={{ base: 12, sm: 6 }}>
        <SearchInput
          label={t("audit.actorId")}
          value={filter.actorId}
          onSearch={(actorId) => onChange({ actorId })}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 12, sm: 6 }}>
        <SearchInput
          label={t("audit.subjectId")}
          value={filter.subjectId}
          onSearch={(subjectId) => onChange({ subjectId })}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 6 }}>
        <TagsInput
          label={t("audit.kinds")}
          description={t("audit.kindsHint")}
          value={[...filter.kinds]}
          onChange={(kinds) => onChange({ kinds })}
          maxTags={KINDS_MAX}
          acceptValueOnBlur
        />
      </Grid.Col>
      <Grid.Col span={{ base: 12, xs: 6, md: 3 }}>
        <TextInput
          label={t("audit.from")}
          type="datetime-local"
          value={filter.from}
          onChange={(event) => onChange({ from: event.currentTarget.value })}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 12, xs: 6, md: 3 }}>
        <TextInput
          label={t("audit.until")}
          type="datetime-local"
          value={filter.until}
          onChange={(event) => onChange({ until: event.currentTarget.value })}
        />
      </Grid.Col>
    </Grid>
  );
}
