/** Writes a line of CSV as RFC 4180 has it, with its end. */
export function csvLine(values: readonly string[]): string {
  return `${values.map(quoted).join(",")}\r\n`;
}

/**
 * Puts an apostrophe before what a spreadsheet would take for a formula and run. The value is
 * another one then: what reads it back has to take the apostrophe away.
 */
export function withoutFormula(value: string): string {
  return /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
}

/** Spaces at the ends stay with quotes, whoever reads it. */
function quoted(value: string): string {
  return /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
