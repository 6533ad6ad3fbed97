import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { useTranslation } from "react-i18next";
import { formatExactly, formatMoment } from "./moment.ts";

/** Shows a time in the reader's zone; where there is none, what that means. */
export function Time({
  time,
  none,
  exact = false,
}: {
  readonly time: Timestamp | undefined;
  /** By default a dash. */
  readonly none?: string;
  /** Whether seconds matter. */
  readonly exact?: boolean;
}) {
  const { i18n } = useTranslation();
  if (time === undefined) return none ?? "–";
  return exact ? formatExactly(time, i18n.language) : formatMoment(time, i18n.language);
}
