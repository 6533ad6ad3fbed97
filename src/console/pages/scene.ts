import type { Html } from "../../model/html.ts";
import { html } from "../../model/html.ts";
import type { Auth, PageKind } from "./kinds.ts";
import type { Language } from "./language.ts";
import { layOut } from "./layout.ts";
import type { Problem } from "./refusals.ts";
import type { PageAnswer, PageSite } from "./visit.ts";
import { WORDS } from "./words/words.ts";

/** Where a request stands: what every page of the Site is made from. */
export interface Scene {
  readonly auth: Auth;
  readonly siteId: string;
  readonly site: PageSite;
  readonly kind: PageKind;
  readonly language: Language;
}

/** Lays a page of the Site out. */
export function show(
  { language, site }: Pick<Scene, "language" | "site">,
  page: {
    readonly status: number;
    readonly title: string;
    readonly body: Html;
    readonly forwardTo?: string | undefined;
  },
): PageAnswer {
  return layOut({ language, site, ...page });
}

/** Tells of a problem, in the Site's look where the Site is known. */
export function showProblem(
  { language, site }: { readonly language: Language; readonly site: PageSite | undefined },
  { name, status, retryAfterSeconds }: Problem,
): PageAnswer {
  const { title, text } = WORDS[language].problems[name];
  const body = html`<h1>${title}</h1>
<p>${text}</p>`;
  return layOut({ language, site, status, title, body, retryAfterSeconds });
}
