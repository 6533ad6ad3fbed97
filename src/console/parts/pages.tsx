import { Button, Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useLocation, useNavigate } from "react-router";

/** How many rows a page of a list asks for. */
export const PAGE_SIZE = 25;

/** Where in a list somebody is, and by which filter. */
interface Place<F> {
  readonly filter: F;
  /** Of the page that is shown; empty: the first. */
  readonly pageToken: string;
  /** How many pages lie before it. */
  readonly depth: number;
}

/** A list that is read page by page: its filter, and ways to the other pages. */
export interface ListPlace<F> extends Place<F> {
  readonly setFilter: (change: Partial<F>) => void;
  readonly next: (pageToken: string) => void;
  readonly previous: () => void;
}

/**
 * Keeps filter and page with the entry of the browser's history, so that its way back works. They
 * are not in the address, which ends up in logs: a filter holds parts of e-mail addresses.
 */
export function useListPlace<F>(initial: F): ListPlace<F> {
  const navigate = useNavigate();
  const location = useLocation();
  const place = (location.state as Place<F> | null) ?? { filter: initial, pageToken: "", depth: 0 };
  const go = (state: Place<F>, replace: boolean): void => {
    void navigate(location.pathname, { state, replace });
  };
  return {
    ...place,
    setFilter(change) {
      go({ filter: { ...place.filter, ...change }, pageToken: "", depth: 0 }, true);
    },
    next: (pageToken) => go({ filter: place.filter, pageToken, depth: place.depth + 1 }, false),
    previous: () => void navigate(-1),
  };
}

/** The ways to the next page and back. */
export function PageButtons({
  place,
  nextPageToken,
}: {
  readonly place: Pick<ListPlace<unknown>, "depth" | "next" | "previous">;
  readonly nextPageToken: string;
}) {
  const { t } = useTranslation();
  if (place.depth === 0 && nextPageToken === "") return null;
  return (
    <Group justify="space-between" component="nav" aria-label={t("pages.label")}>
      <Button variant="default" disabled={place.depth === 0} onClick={place.previous}>
        {t("pages.previous")}
      </Button>
      <Text size="sm" c="dimmed">
        {t("pages.number", { number: place.depth + 1 })}
      </Text>
      <Button
        variant="default"
        disabled={nextPageToken === ""}
        onClick={() => place.next(nextPageToken)}
      >
        {t("pages.next")}
      </Button>
    </Group>
  );
}
