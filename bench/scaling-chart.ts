/** Signet at one size, as a multiple of what it is measured beside. */
export interface Point {
  readonly size: number;
  readonly ratio: number;
}

/** One diagram: how a ratio goes with a size. */
export interface Panel {
  readonly title: string;
  readonly axis: string;
  readonly points: readonly Point[];
  /** The ratio to reach at a size. */
  readonly goal: (size: number) => number;
  /** Whether less is better. */
  readonly isAtMost?: boolean;
  readonly machine?: string;
}

const PANEL = { width: 300, height: 240, left: 44, right: 16, top: 44, bottom: 56 };
const HEADROOM = 1.15;
const STEPS = 4;

/** Draws the panels side by side, as an SVG that shows on light and on dark pages. */
export function drawPanels(panels: readonly Panel[]): string {
  const width = panels.length * PANEL.width;
  const drawn = panels.map(
    (panel, n) => `<g transform="translate(${n * PANEL.width} 0)">\n${drawPanel(panel)}\n</g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${PANEL.height}" role="img">`,
    `<title>How Signet scales: ${panels.map(({ title }) => escapeText(title)).join("; ")}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${width}" height="${PANEL.height}" class="page"/>`,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

const STYLE = [
  ".page{fill:#fff}",
  "text{font:11px sans-serif;fill:#333}",
  ".title{font-weight:bold}",
  ".grid{stroke:#ddd}",
  ".goal{stroke:#c60;stroke-dasharray:4 3;fill:none}",
  ".line{stroke:#06c;stroke-width:2;fill:none}",
  ".point{fill:#06c}",
].join("");

function drawPanel({ title, axis, points, goal, isAtMost = false }: Panel): string {
  const sizes = points.map(({ size }) => size);
  const most = Math.max(1, ...points.flatMap(({ size, ratio }) => [ratio, goal(size)])) * HEADROOM;
  const [x, y] = [scaleSizes(sizes), scaleRatios(most)];
  const path = (of: (point: Point) => number) =>
    points.map((point, n) => `${n ? "L" : "M"}${x(point.size)} ${y(of(point))}`).join("");
  const grid = Array.from({ length: STEPS + 1 }, (_, n) => (most * n) / STEPS).map(
    (ratio) =>
      `<path class="grid" d="M${PANEL.left} ${y(ratio)}H${PANEL.width - PANEL.right}"/>` +
      `<text x="${PANEL.left - 6}" y="${y(ratio) + 4}" text-anchor="end">` +
      `${ratio.toFixed(1)}</text>`,
  );
  const dots = points.map(
    ({ size, ratio }) =>
      `<circle class="point" cx="${x(size)}" cy="${y(ratio)}" r="3"/>` +
      `<text x="${x(size)}" y="${y(ratio) - 8}" text-anchor="middle">${ratio.toFixed(2)}</text>` +
      `<text x="${x(size)}" y="${PANEL.height - PANEL.bottom + 16}" text-anchor="middle">` +
      `${shortNumber(size)}</text>`,
  );
  const middle = (PANEL.left + PANEL.width - PANEL.right) / 2;
  return [
    `<text class="title" x="${PANEL.left}" y="18">${escapeText(title)}</text>`,
    `<text x="${PANEL.left}" y="33">ratio; dashed: ${isAtMost ? "at most" : "at least"}</text>`,
    ...grid,
    `<path class="goal" d="${path(({ size }) => goal(size))}"/>`,
    `<path class="line" d="${path(({ ratio }) => ratio)}"/>`,
    ...dots,
    `<text x="${middle}" y="${PANEL.height - 14}" text-anchor="middle">${escapeText(axis)}</text>`,
  ].join("\n");
}

/** By their logarithm, since each is a multiple of the one before. */
function scaleSizes(sizes: readonly number[]): (size: number) => number {
  const [first, last] = [Math.log(Math.min(...sizes)), Math.log(Math.max(...sizes))];
  const inner = PANEL.width - PANEL.left - PANEL.right - 2 * INSET;
  return (size) => {
    const share = last > first ? (Math.log(size) - first) / (last - first) : 0.5;
    return Math.round(PANEL.left + INSET + share * inner);
  };
}

const INSET = 20;

function scaleRatios(most: number): (ratio: number) => number {
  const inner = PANEL.height - PANEL.top - PANEL.bottom;
  return (ratio) => Math.round(PANEL.height - PANEL.bottom - (ratio / most) * inner);
}

function shortNumber(size: number): string {
  if (size >= 1_000_000) return `${size / 1_000_000} M`;
  return size >= 1_000 ? `${size / 1_000} k` : `${size}`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
