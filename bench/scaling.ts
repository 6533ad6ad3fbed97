import { readFile, writeFile } from "node:fs/promises";
import { drawPanels, type Panel, type Point } from "./scaling-chart.ts";
import type { Finding } from "./verdict.ts";

/** One panel of the chart, without its points. */
interface Scale extends Omit<Panel, "points" | "machine"> {
  readonly key: string;
  /** Finds the size that a row is about; undefined: the row is about something else. */
  readonly sizeOf: (row: string, userCount: number) => number | undefined;
  /** By definition, such as one process beside one process. */
  readonly origin?: Point;
}

/** What a run has found. */
export interface ScaledRun {
  readonly machine: string;
  /** Users of the large Site. */
  readonly userCount: number;
  readonly findings: readonly Pick<Finding, "row" | "ratio">[];
}

/** Points that were measured, by panel; those of another run stay until they are measured again. */
type Measured = Record<string, { readonly machine: string; readonly points: readonly Point[] }>;

const SCALES: readonly Scale[] = [
  {
    key: "users",
    title: "Look-up by address: time",
    axis: "Users of the Site, beside 10,000",
    goal: () => 1.3,
    isAtMost: true,
    origin: { size: 10_000, ratio: 1 },
    sizeOf: (row, userCount) => (row === "users: look-up by address" ? userCount : undefined),
  },
  {
    key: "streams",
    title: "Fan-out: frames a second",
    axis: "streams, beside bare HTTP/2",
    goal: () => 0.7,
    sizeOf: (row) => numberIn(/^sync: fan-out to ([\d,]+) streams$/, row),
  },
  {
    key: "processes",
    title: "ValidateToken: calls a second",
    axis: "processes, beside one",
    goal: (count) => 1 + 0.8 * (count - 1),
    origin: { size: 1, ratio: 1 },
    sizeOf: (row) => numberIn(/^processes: throughput of (\d+)$/, row),
  },
];

/**
 * Draws how Signet scales into an SVG file. What was measured is kept in a JSON file beside it, so
 * that each run adds the sizes that it has measured.
 */
export async function drawScaling(file: string, run: ScaledRun): Promise<void> {
  const dataFile = `${file.replace(/\.svg$/, "")}.json`;
  const known = JSON.parse(await readFile(dataFile, "utf8").catch(() => "{}")) as Measured;
  const measured = addPoints(known, run);
  await writeFile(dataFile, `${JSON.stringify(measured, undefined, 2)}\n`);
  const panels = SCALES.map((scale) => ({ ...scale, points: [], ...measured[scale.key] }));
  await writeFile(file, drawPanels(panels));
}

/** Adds what was found to what is known; a point of the same size is replaced. */
export function addPoints(known: Measured, { machine, userCount, findings }: ScaledRun): Measured {
  const result: Measured = { ...known };
  for (const { key, sizeOf, origin } of SCALES) {
    const found = findings.flatMap((finding) => {
      const size = sizeOf(finding.row, userCount);
      return size === undefined ? [] : [{ size, ratio: Number(finding.ratio.toPrecision(3)) }];
    });
    if (found.length === 0) continue;
    const all = [...(origin ? [origin] : []), ...(known[key]?.points ?? []), ...found];
    const bySize = new Map(all.map((point) => [point.size, point]));
    const points = [...bySize.values()].sort((a, b) => a.size - b.size);
    result[key] = { machine, points };
  }
  return result;
}

function numberIn(pattern: RegExp, row: string): number | undefined {
  const digits = pattern.exec(row)?.[1];
  return digits === undefined ? undefined : Number(digits.replaceAll(",", ""));
}
