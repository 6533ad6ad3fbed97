import { type Html, html } from "../../model/html.ts";
import { type FieldErrors, fieldsOf, hidden, summaryOf, titleWith } from "./form.ts";
import { ASKS, type AskPath, isAskPath } from "./kinds.ts";
import { fieldErrorsOf } from "./refusals.ts";
import { type Scene, show, showProblem } from "./scene.ts";
import type { PageAnswer } from "./visit.ts";
import { WORDS } from "./words/words.ts";

/** Tells that a link no longer works, and how to come by another. */
export function showGone(scene: Scene): PageAnswer {
  const { kind, site, language } = scene;
  const words = WORDS[language];
  const path = askPathOf(scene);
  const body = html`<h1>${words.goneTitle}</h1>
<p>${words.goneReason} ${words.acts[kind.path].gone(site.name)}</p>
${
  path === undefined
    ? html`<p><a class="button" href="${site.frontendUrl}">${words.goOn(site.name)}</a></p>`
    : html`<h2>${words.asks[path].title}</h2>
${askForm(scene, path, {}, "")}`
}`;
  return show(scene, { status: 404, title: words.goneTitle, body });
}

/** Shows the form that asks for a new link, on pages that have one. */
export function showAsk(scene: Scene, errors: FieldErrors = {}, email = ""): PageAnswer {
  const path = askPathOf(scene);
  if (path === undefined) return showProblem(scene, { name: "unknown", status: 404 });
  const words = WORDS[scene.language];
  const { title } = words.asks[path];
  const body = html`<h1>${title}</h1>
${summaryOf(words, errors)}${askForm(scene, path, errors, email)}`;
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return show(scene, { status, title: titleWith(words, title, errors), body });
}

/** Asks for a new link; the answer is the same whether there is an account or not. */
export async function ask(
  scene: Scene,
  form: URLSearchParams,
  headers: Headers,
): Promise<PageAnswer> {
  const path = askPathOf(scene);
  if (path === undefined) return showProblem(scene, { name: "unknown", status: 404 });
  if (!isFromOwnPage(headers)) return showProblem(scene, { name: "foreign", status: 403 });
  const { auth, siteId, site, language } = scene;
  const words = WORDS[language];
  const email = form.get("email") ?? "";
  try {
    await ASKS[path](auth, { siteId, email });
  } catch (error) {
    const errors = fieldErrorsOf(error, words, { password: "" }, site.passwordLengthMin);
    if (errors?.email === undefined) throw error;
    return showAsk(scene, errors, email);
  }
  const { sentTitle: title, sent } = words.asks[path];
  const body = html`<h1>${title}</h1>
<p role="status">${sent(email)}</p>`;
  return show(scene, { status: 200, title, body });
}

/** Where a Site has a page of its own for such links, people ask there. */
function askPathOf({ kind: { path }, site }: Scene): AskPath | undefined {
  return isAskPath(path) && site.hosted.has(path) ? path : undefined;
}

/**
 * Without a token, another page could have its visitors ask, each from an address of its own.
 * Browsers say where a form was sent from (Fetch Metadata); programs have no visitors. The page's
 * own `Origin` is `null`, as it has no referrer, so that it tells nothing.
 */
function isFromOwnPage(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin" || site === "none";
  return !headers.has("origin");
}

function askForm(
  { kind, language }: Scene,
  path: AskPath,
  errors: FieldErrors,
  email: string,
): Html {
  const words = WORDS[language];
  const { lead, button } = words.asks[path];
  const field = {
    name: "email",
    label: words.email,
    type: "email",
    autocomplete: "email",
    value: email,
    required: true,
  } as const;
  return html`<p>${lead}</p>
<form method="post" action="${kind.path}">
${hidden("lang", language)}${fieldsOf([field], errors)}<button type="submit">${button}</button>
</form>`;
}
