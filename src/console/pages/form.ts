import { type Html, html } from "../../model/html.ts";
import type { PageWords } from "./words/page-words.ts";

/** The fields in which something can be wrong. */
export type FieldName = "password" | "repeat" | "username" | "email";

/** What is wrong, by field. */
export type FieldErrors = Readonly<Partial<Record<FieldName, string>>>;

/** A field of a form. */
export interface Field {
  readonly name: FieldName;
  readonly label: string;
  readonly type: "text" | "password" | "email";
  readonly autocomplete: string;
  readonly value?: string;
  readonly hint?: string;
  readonly required: boolean;
  readonly lengthMin?: number;
}

/** Lays out fields; what is wrong with one stands at it, and the first wrong one has the focus. */
export function fieldsOf(fields: readonly Field[], errors: FieldErrors): Html[] {
  const wrong = fields.find(({ name }) => errors[name] !== undefined);
  const focused = wrong ?? fields[0];
  return fields.map((field) => fieldOf(field, errors[field.name], field === focused));
}

/** Sums up what is wrong, with links to the fields; undefined: nothing is. */
export function summaryOf(words: PageWords, errors: FieldErrors): Html | undefined {
  const items = Object.entries(errors);
  if (items.length === 0) return undefined;
  return html`<div class="problems" role="alert">
<p>${words.errors}</p>
<ul>${items.map(([name, text]) => html`<li><a href="#${name}">${text}</a></li>`)}</ul>
</div>
`;
}

/** Returns the title of a page, which says first that there are errors. */
export function titleWith(words: PageWords, title: string, errors: FieldErrors): string {
  return Object.keys(errors).length === 0 ? title : `${words.error}: ${title}`;
}

/** What a form sends along unseen. */
export function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}">
`;
}

function fieldOf(field: Field, error: string | undefined, isFocused: boolean): Html {
  const { name, label, type, autocomplete, value = "", hint, required, lengthMin } = field;
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");
  return html`<label for="${name}">${label}</label>
${hint === undefined ? undefined : html`<p class="hint" id="${name}-hint">${hint}</p>`}
${error === undefined ? undefined : html`<p class="wrong" id="${name}-error">${error}</p>`}
<input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" value="${value}"${
    required ? html` required` : undefined
  }${lengthMin === undefined ? undefined : html` minlength="${String(lengthMin)}"`}${
    described === "" ? undefined : html` aria-describedby="${described}"`
  }${error === undefined ? undefined : html` aria-invalid="true"`}${
    isFocused ? html` autofocus` : undefined
  } autocapitalize="none" spellcheck="false">
`;
}
