/**
 * Tells how well two kinds of durations can be told apart by one of each: 0.5 is not at all, 1 is
 * always (the area under the ROC curve, by the rank sum of Mann and Whitney). Which of the two is
 * the longer does not matter.
 */
export function areaUnderCurve(some: readonly number[], others: readonly number[]): number {
  const all = [
    ...some.map((value) => ({ value, own: true })),
    ...others.map((value) => ({ value, own: false })),
  ].sort((a, b) => a.value - b.value);
  let ranks = 0;
  for (const [n, { own }] of all.entries()) if (own) ranks += n + 1;
  const wins = ranks - (some.length * (some.length + 1)) / 2;
  const area = wins / (some.length * others.length);
  return Math.max(area, 1 - area);
}
