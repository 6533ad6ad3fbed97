/** A name and its value; without a value the row is left out. */
export type Field = readonly [name: string, value: string | undefined];

/** Lays fields out below each other, the values in one column. */
export function layOutFields(fields: readonly Field[]): string {
  const given = fields.filter(([, value]) => value);
  return alignColumns(given.map(([name, value]) => [name, value ?? ""])).join("\n");
}

/** Lays rows out below a line of headings; an empty cell becomes a dash. */
export function layOutTable(
  headings: readonly string[],
  rows: readonly (readonly (string | undefined)[])[],
): string {
  const filled = rows.map((row) => row.map((cell) => cell || "-"));
  return alignColumns([headings.map((heading) => heading.toUpperCase()), ...filled]).join("\n");
}

/** Says below a table how to see the rest, where there is a rest. */
export function withMore(table: string, nextPageToken: string): string {
  return nextPageToken ? `${table}\n\nThere are more: --limit shows them.` : table;
}

/** Puts the cells of rows below each other; the last column is as wide as it is. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const printable = rows.map((row) => row.map(toPrintable));
  const widths = (printable[0] ?? []).map((_, column) =>
    Math.max(...printable.map((row) => widthOf(row[column] ?? ""))),
  );
  return printable.map((row) =>
    row
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - widthOf(cell)))
      .join("  ")
      .trimEnd(),
  );
}

/** What others have written must not move the cursor of a terminal, or turn its text around. */
export function toPrintable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

function widthOf(text: string): number {
  return [...text].length;
}
