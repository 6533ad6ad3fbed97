import { isDeepStrictEqual } from "node:util";
import type { MirrorRow, RestlessMirror } from "./restless-mirror.ts";
import { sumsOfRows } from "./site-sums.ts";

/** Lists what a mirror, its sums and its app have other than the Site. */
export async function judgeMirror(
  { faults, place, sums }: Pick<RestlessMirror, "faults" | "place" | "sums">,
  wanted: ReadonlyMap<string, MirrorRow>,
): Promise<string[]> {
  const { name } = place;
  const found = [...faults];
  const own = await sums();
  const { count, xor } = sumsOfRows(wanted);
  if (own?.count !== count || own.xor !== xor) found.push(`${name} has other sums`);
  if (!isDeepStrictEqual(await place.rows(), wanted)) found.push(`${name} has other rows`);
  const created = await place.created();
  for (const [id, times] of created) {
    if (times !== 1) found.push(`${name} told its app ${times} times of ${id}`);
  }
  for (const [id, { deleted }] of wanted) {
    if (!deleted && !created.has(id)) found.push(`${name} never told its app of ${id}`);
  }
  return found;
}
