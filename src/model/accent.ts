/** Signet's own colour. */
const ACCENT = "#1d4ed8";

/** Returns a Site's colour, and which of black and white is read best on it. */
export function accentOf(color: string): { readonly accent: string; readonly onAccent: string } {
  const accent = color || ACCENT;
  const luminance = luminanceOf(accent);
  // WCAG 2.2, contrast ratio: at least 4.5 for one of the two, whatever the colour.
  const withWhite = 1.05 / (luminance + 0.05);
  const withBlack = (luminance + 0.05) / 0.05;
  return { accent, onAccent: withWhite >= withBlack ? "#ffffff" : "#000000" };
}

/** WCAG 2.2, relative luminance of a colour of sRGB. */
function luminanceOf(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((begin) => {
    const value = Number.parseInt(color.slice(begin, begin + 2), 16) / 255;
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
