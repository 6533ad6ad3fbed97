import { createHash } from "node:crypto";
import { Failure } from "../model/failure.ts";
import { type AnyId, idFromBytes, idToBytes, type SiteId } from "../model/id.ts";
import type { Deps } from "./deps.ts";

/** What a page belongs to. */
export interface PagedQuestion {
  readonly list: string;
  /** Whatever else the question holds and every page of it has in common, as one text. */
  readonly filter: string;
}

const ID_BYTES = 16;
const DIGEST_BYTES = 16;

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

/** Makes the token of the page after a place; it is of use for this Site and question alone. */
export function sealPageOf(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  { list, filter }: PagedQuestion,
  place: Uint8Array,
): string {
  return cursors.sealCursor(siteId, `page:${list}`, Buffer.concat([digestOf(filter), place]));
}

/** Returns the place; undefined for the first page. @throws {Failure} `invalid_page_token` */
export function openPageOf(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  { list, filter }: PagedQuestion,
  token: string,
): Buffer | undefined {
  if (token === "") return undefined;
  const payload = cursors.openCursor(siteId, `page:${list}`, token);
  if (!payload?.subarray(0, DIGEST_BYTES).equals(digestOf(filter))) {
    throw new Failure("invalid_page_token");
  }
  return payload.subarray(DIGEST_BYTES);
}

function digestOf(filter: string): Buffer {
  return createHash("sha256").update(filter).digest().subarray(0, DIGEST_BYTES);
}
