/** Text that is HTML already, and is not escaped again. */
export interface Html {
  readonly markup: string;
}

/** What may stand in HTML; undefined leaves the place empty. */
type Part = string | Html | readonly Html[] | undefined;

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Writes HTML with values in place:
 *
 *     html`<p>Hello ${name}</p>`
 *
 * Text is escaped for elements and quoted attributes; HTML, and lists of it, stand as they are.
 */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { markup: texts.reduce((before, after, n) => before + toMarkup(parts[n - 1]) + after) };
}

function toMarkup(part: Part): string {
  if (part === undefined) return "";
  if (typeof part === "string") return part.replace(/[&<>"']/g, (one) => ESCAPES[one] ?? "");
  return "markup" in part ? part.markup : part.map(({ markup }) => markup).join("");
}
