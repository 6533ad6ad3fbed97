/** The extent of some numbers. */
export interface Spread {
  readonly min: number;
  readonly max: number;
}

/**
 * Returns the value below which the share `share` (0 to 1) of the numbers lies, by nearest rank;
 * NaN of none.
 */
export function percentile(numbers: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(numbers).sort();
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.max(0, rank - 1)] ?? Number.NaN;
}

/** Returns the smallest and the largest of the numbers. */
export function spreadOf(numbers: readonly number[]): Spread {
  return { min: Math.min(...numbers), max: Math.max(...numbers) };
}

/** Returns the index of the number in the middle, of the lower one if there are two; -1 of none. */
export function medianIndex(numbers: readonly number[]): number {
  return numbers.indexOf(percentile(numbers, 0.5));
}
