import { randomBytes } from "node:crypto";
import { type Html, html } from "../../model/html.ts";
import { styleOf } from "./style.ts";
import type { PageAnswer, PageSite } from "./visit.ts";

/** What is laid out as a page. */
export interface PageContent {
  readonly language: string;
  /** Undefined: it is not known, or not looked up to refuse a request. */
  readonly site: Pick<PageSite, "name" | "accentColor"> | undefined;
  readonly status: number;
  readonly title: string;
  readonly body: Html;
  /** Where the browser goes on to at once. */
  readonly forwardTo?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** Nothing but this page's style is loaded or run, and nothing else can hold the page. */
const POLICY = [
  "default-src 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
];

/** The address of a page holds a token: it must not be kept, indexed or passed on. */
const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "x-robots-tag": "noindex",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** The least that Content Security Policy 3 advises; a UUID has six random bits less. */
const NONCE_BYTES = 16;

/** Lays a page out, for every browser and without any script. */
export function layOut(content: PageContent): PageAnswer {
  const { status, language, retryAfterSeconds } = content;
  const nonce = randomBytes(NONCE_BYTES).toString("hex");
  return {
    status,
    headers: {
      ...HEADERS,
      "content-security-policy": [...POLICY, `style-src 'nonce-${nonce}'`].join("; "),
      "content-language": language,
      ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    },
    body: documentOf(content, nonce).markup,
  };
}

function documentOf({ language, site, title, body, forwardTo }: PageContent, nonce: string): Html {
  // Of the project's own making, but for a colour, which is hexadecimal digits.
  const style = { markup: styleOf(site?.accentColor ?? "") };
  const forward =
    forwardTo === undefined
      ? undefined
      : html`<meta http-equiv="refresh" content="0; url=${forwardTo}">`;
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${forward}
<title>${site ? `${title} – ${site.name}` : title}</title>
<style nonce="${nonce}">${style}</style>
</head>
<body>
<header><p dir="auto">${site?.name ?? "Signet"}</p></header>
<main>
${body}
</main>
</body>
</html>
`;
}
