import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";

/** Returns how many rows a page holds; 0 means the default. @throws {Failure} `invalid_field` */
export function pageLimit(pageSize: number): number {
  if (pageSize < 0) throw invalidField("page_size", "must not be negative");
  return pageSize === 0 ? LIMITS.pageSizeDefault : Math.min(pageSize, LIMITS.pageSizeMax);
}
