import type { Option } from "commander";
import { UsageError } from "./context.ts";
import { numberOption } from "./options.ts";

/** How much of a list is wanted. */
export interface PageOptions {
  readonly limit: number;
  readonly pageToken?: string;
}

/** How much is shown unless told otherwise. */
export const LIMIT_DEFAULT = 50;

/** The flags of `pageToken`. */
export const PAGE_TOKEN_FLAGS = ["--page-token <token>", "go on where a list has ended"] as const;

const PAGE_SIZE_MAX = 500;

/** An option that says how much of a list is wanted. */
export function limitOption(limit: number): Option {
  return numberOption("--limit <n>", "show at most so many").default(limit);
}

/**
 * Asks for page after page, up to the limit: one may hold less than was asked for, and more may
 * follow it. `readPage` answers how many there are by now. Returns the token of what follows.
 */
export async function readPages(
  { limit, pageToken: first = "" }: PageOptions,
  readPage: (page: { readonly pageSize: number; readonly pageToken: string }) => Promise<{
    readonly count: number;
    readonly nextPageToken: string;
  }>,
): Promise<string> {
  if (limit === 0) throw new UsageError("--limit must be 1 or more");
  let [pageToken, found] = [first, 0];
  do {
    const pageSize = Math.min(limit - found, PAGE_SIZE_MAX);
    ({ count: found, nextPageToken: pageToken } = await readPage({ pageSize, pageToken }));
  } while (pageToken !== "" && found < limit);
  return pageToken;
}
