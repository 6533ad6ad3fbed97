import { Grid, Select } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { SearchInput } from "../parts/search-input.tsx";
import { STATES, type UserListFilter } from "./user-filter.ts";

/** What {@link UserFilters} shows and changes. */
interface UserFiltersProps {
  readonly filter: UserListFilter;
  readonly onChange: (change: Partial<UserListFilter>) => void;
}

/** What narrows the list of Users. */
export function UserFilters({ filter, onChange }: UserFiltersProps) {
  const { t } = useTranslation();
  return (
    <Grid role="search" aria-label={t("users.filter")} align="end">
      <Grid.Col span={{ base: 12, sm: 6, lg: 2 }}>
        <Select
          label={t("users.searchBy")}
          data={[
            { value: "email", label: t("user.email") },
            { value: "username", label: t("user.username") },
          ]}
          value={filter.prefixOf}
          onChange={(prefixOf) => prefixOf && onChange({ prefixOf })}
          allowDeselect={false}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 12, sm: 6, lg: 4 }}>
        <SearchInput
          label={t("users.prefix")}
          value={filter.prefix}
          onSearch={(prefix) => onChange({ prefix })}
          maxLength={filter.prefixOf === "email" ? 254 : 64}
        />
      </Grid.Col>
      <StateFilters filter={filter} onChange={onChange} />
      <Grid.Col span={{ base: 12, sm: 4, lg: 2 }}>
        <SearchInput
          label={t("users.role")}
          value={filter.role}
          onSearch={(role) => onChange({ role })}
          maxLength={64}
        />
      </Grid.Col>
    </Grid>
  );
}

function StateFilters({ filter, onChange }: UserFiltersProps) {
  const { t } = useTranslation();
  return (
    <>
      <Grid.Col span={{ base: 6, sm: 4, lg: 2 }}>
        <Select
          label={t("user.state")}
          placeholder={t("users.allButDeleted")}
          data={STATES.map((value) => ({ value, label: t(`userState.${value}`) }))}
          value={filter.state === "" ? null : filter.state}
          onChange={(state) => onChange({ state: state ?? "" })}
          clearable
          clearButtonProps={{ "aria-label": t("common.clear") }}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 6, sm: 4, lg: 2 }}>
        <Select
          label={t("users.verified")}
          placeholder={t("users.either")}
          data={[
            { value: "yes", label: t("common.yes") },
            { value: "no", label: t("common.no") },
          ]}
          value={filter.verified === "" ? null : filter.verified}
          onChange={(verified) => onChange({ verified: verified ?? "" })}
          clearable
          clearButtonProps={{ "aria-label": t("common.clear") }}
        />
      </Grid.Col>
    </>
  );
}
