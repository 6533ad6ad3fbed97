import { accentOf } from "../model/accent.ts";
import { type Html, html } from "../model/html.ts";
import type { MailContent } from "./mailer.ts";

/** The words of a mail, in order; the layout makes text and HTML of them. */
export interface MailWords {
  readonly subject: string;
  /** Paragraphs before the button. */
  readonly opening: readonly string[];
  readonly button: { readonly label: string; readonly link: string } | undefined;
  /** Paragraphs behind the button. */
  readonly closing: readonly string[];
}

/** What a mail shows of its Site. */
export interface MailSite {
  readonly siteName: string;
  /** `#` and six hexadecimal digits, for the button; empty: Signet's own. */
  readonly accentColor: string;
}

/** Lays a mail out as plain text and as HTML that every mail program shows. */
export function layOut(language: string, site: MailSite, words: MailWords): MailContent {
  return {
    subject: words.subject,
    text: textOf(site, words),
    html: htmlOf(language, site, words).markup,
    language,
    link: words.button?.link,
  };
}

function textOf({ siteName }: MailSite, { opening, button, closing }: MailWords): string {
  const call = button ? [`${button.label}:\n${button.link}`] : [];
  return `${[...opening, ...call, ...closing, `-- \n${siteName}`].join("\n\n")}\n`;
}

function htmlOf(language: string, site: MailSite, words: MailWords): Html {
  const { subject, opening, button, closing } = words;
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${subject}</title>
</head>
<body style="margin:0;padding:24px;background:#f4f4f5;font-family:sans-serif;color:#18181b">
<div dir="auto"
 style="max-width:480px;margin:0 auto;padding:32px;background:#ffffff;border-radius:8px">
${opening.map(paragraph)}${button ? buttonOf(button, site) : []}${closing.map(paragraph)}
<p style="margin:24px 0 0;font-size:13px;color:#71717a">${site.siteName}</p>
</div>
</body>
</html>
`;
}

function paragraph(text: string): Html {
  const style = "margin:0 0 16px;font-size:16px;line-height:24px;white-space:pre-line";
  return html`<p style="${style}">${text}</p>
`;
}

/** The link is written out too, for those whose mail program shows no button. */
function buttonOf(
  { label, link }: { readonly label: string; readonly link: string },
  { accentColor }: MailSite,
): Html {
  const { accent, onAccent } = accentOf(accentColor);
  const style =
    "display:inline-block;padding:12px 24px;border-radius:6px;" +
    `background:${accent};color:${onAccent};font-size:16px;text-decoration:none`;
  return html`<p style="margin:0 0 16px"><a href="${link}" style="${style}">${label}</a></p>
<p style="margin:0 0 16px;font-size:13px;color:#71717a;word-break:break-all">${link}</p>
`;
}
