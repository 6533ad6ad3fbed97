import type { CheckOneTimeTokenResponse } from "../../../gen/signet/v1/auth_service_pb.ts";
import { html } from "../../model/html.ts";
import { showGone } from "./ask-page.ts";
import { type Field, type FieldErrors, fieldsOf, hidden, summaryOf, titleWith } from "./form.ts";
import { fieldErrorsOf, isGone } from "./refusals.ts";
import { type Scene, show } from "./scene.ts";
import type { PageAnswer, PageSite } from "./visit.ts";
import { WORDS } from "./words/words.ts";

/** A link that works: its token, and what Signet says of it. */
export interface LiveLink {
  readonly token: string;
  readonly facts: CheckOneTimeTokenResponse;
}

/**
 * Shows the form that uses a token. Only what is sent from it does: programs that follow every
 * link of a mail must not.
 */
export function showForm(scene: Scene, link: LiveLink, errors: FieldErrors, username = "") {
  const { kind, site, language } = scene;
  const { facts, token } = link;
  const words = WORDS[language];
  const { title, lead, button } = words.acts[kind.path];
  const fields = fieldsOf(formFields(scene, facts, username || facts.username), errors);
  const body = html`<h1>${title}</h1>
${summaryOf(words, errors)}<p>${lead(site.name)}</p>
<form method="post" action="${kind.path}">
${hidden("token", token)}${hidden("lang", language)}<label for="account">${words.email}</label>
<input id="account" name="account" type="text" autocomplete="username" value="${facts.email}"
 readonly>
${fields}<button type="submit">${button}</button>
</form>`;
  const status = Object.keys(errors).length === 0 ? 200 : 422;
  return show(scene, { status, title: titleWith(words, title, errors), body });
}

/** Uses a token with what was sent, and says what has been done, or what is wrong. */
export async function act(
  scene: Scene,
  link: LiveLink,
  form: URLSearchParams,
): Promise<PageAnswer> {
  const { auth, siteId, kind, site, language } = scene;
  const words = WORDS[language];
  const textOf = (name: string): string => form.get(name) ?? "";
  const [password, username] = [textOf("password"), textOf("username")];
  if (password !== textOf("repeat")) {
    return showForm(scene, link, { repeat: words.passwordsDiffer }, username);
  }
  const sent = { siteId, token: link.token, password, username };
  try {
    const { redirectUrl } = await kind.act(auth, sent);
    return showDone(scene, redirectUrl);
  } catch (error) {
    if (isGone(error)) return showGone(scene); // Somebody was faster.
    const errors = fieldErrorsOf(error, words, sent, site.passwordLengthMin);
    if (errors === undefined) throw error;
    return showForm(scene, link, errors, username);
  }
}

function formFields(
  { kind, site, language }: Scene,
  facts: CheckOneTimeTokenResponse,
  username: string,
): Field[] {
  const words = WORDS[language];
  const password = { type: "password", autocomplete: "new-password", required: true } as const;
  const lengthMin = site.passwordLengthMin;
  const hint = words.passwordHint(lengthMin);
  const ofUsername: Field = {
    name: "username",
    label: words.username,
    type: "text",
    autocomplete: "off",
    value: username,
    hint: words.usernameHint,
    required: false,
  };
  const ofPassword: readonly Field[] = [
    { ...password, name: "password", label: words.newPassword, hint, lengthMin },
    { ...password, name: "repeat", label: words.repeatPassword },
  ];
  return [
    ...(kind.takesUsername ? [ofUsername] : []),
    ...(facts.passwordRequired ? ofPassword : []),
  ];
}

function showDone(scene: Scene, redirectUrl: string): PageAnswer {
  const { kind, site, language } = scene;
  const words = WORDS[language];
  const { doneTitle: title, done } = words.acts[kind.path];
  const forwardTo = forwardOf(site, redirectUrl);
  const body = html`<h1>${title}</h1>
<p role="status">${done(site.name)}</p>
<p><a class="button" href="${forwardTo ?? site.frontendUrl}">${words.goOn(site.name)}</a></p>`;
  return show(scene, { status: 200, title, body, forwardTo });
}

/**
 * A person is sent on at once to where the cause of the mail has asked for, which the Site's list
 * had then, and has still. An answer that redirects would not do: browsers hold what a form leads
 * to against `form-action`.
 */
function forwardOf({ frontendUrl, redirectUrls }: PageSite, redirectUrl: string) {
  return redirectUrl !== frontendUrl && redirectUrls.includes(redirectUrl)
    ? redirectUrl
    : undefined;
}
