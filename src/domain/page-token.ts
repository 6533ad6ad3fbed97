import { Failure } from "../model/failure.ts";
import { type AnyId, idFromBytes, idToBytes, type SiteId } from "../model/id.ts";
import type { Deps } from "./deps.ts";

const ID_BYTES = 16;

/** Makes the token of the page after a row; it is of use for this Site and list alone. */
export function sealPageToken(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  list: string,
  last: AnyId,
): string {
  return cursors.sealCursor(siteId, `page:${list}`, idToBytes(last));
}

/** Reads a page token; an empty one is the first page's. @throws {Failure} `invalid_page_token` */
export function openPageToken<T extends AnyId>(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  list: string,
  token: string,
): T | undefined {
  if (token === "") return undefined;
  const payload = cursors.openCursor(siteId, `page:${list}`, token);
  if (payload?.length !== ID_BYTES) throw new Failure("invalid_page_token");
  return idFromBytes<T>(payload);
}
