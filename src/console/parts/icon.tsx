/** Lines on a field of 24 by 24, by what they stand for. */
const PATHS = {
  check: "M5 12l5 5L20 7",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  sites: "M4 21V5l8-2v18M12 9l8 2v10M2 21h20M8 8v.01M8 12v.01M8 16v.01M16 14v.01M16 18v.01",
  users:
    "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8" +
    "M2 21v-2a5 5 0 0 1 5-5h4a5 5 0 0 1 5 5v2M16 3a4 4 0 0 1 0 8M22 21v-2a5 5 0 0 0-4-5",
  key: "M15 9a4 4 0 1 0-4 4 4 4 0 0 0 4-4M13.8 11.8L21 19v2h-3v-2h-2v-2l-2-2",
  pulse: "M3 12h4l3 8 4-16 3 8h4",
  health: "M4 20V10M10 20V4M16 20v-8M22 20H2",
  webhook: "M9 15l6-6M11 6l1-1a5 5 0 0 1 7 7l-1 1M13 18l-1 1a5 5 0 0 1-7-7l1-1",
  audit: "M7 3h8l4 4v14H5V3h2M15 3v4h4M9 12h6M9 16h6",
  settings: "M4 6h10M18 6h2M16 4v4M4 12h2M10 12h10M8 10v4M4 18h8M16 18h4M14 16v4",
  sun:
    "M12 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10M12 2v1M12 21v1M2 12h1M21 12h1" +
    "M5 5l.7.7M18.3 18.3l.7.7M5 19l.7-.7M18.3 5.7L19 5",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z",
  screen: "M3 4h18v12H3zM8 20h8M12 16v4",
} as const;

/** What an icon can stand for. */
export type IconName = keyof typeof PATHS;

/** A small picture beside words, or in a button that has a name; it says nothing by itself. */
export function Icon({ name, size = 18 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
