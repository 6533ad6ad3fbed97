import type { Secret } from "../../model/secret.ts";
import type { HttpUrl } from "../../model/url.ts";
import { chooseLanguage, durationInWords, type Language } from "../language.ts";
import { layOut, type MailWords } from "../layout.ts";
import { oneTimeLink } from "../link.ts";
import type { MailContent } from "../mailer.ts";

/**
 * What the mail is made of.
 *
 * The User's own words are not among it: whoever registers the address of another must not be
 * able to write to them in the name of the Site.
 */
export interface VerifyEmailData {
  readonly siteName: string;
  /** The Site's page that takes the token. */
  readonly verifyUrl: HttpUrl;
  readonly token: Secret;
  readonly lifetimeSeconds: number;
  /** The User's locale, then the Site's. */
  readonly locales: readonly (string | undefined)[];
}

interface Parts {
  readonly siteName: string;
  readonly link: string;
  readonly lifetime: string;
}

/** Asks a new User to confirm that the address is theirs. */
export function verifyEmailMessage(data: VerifyEmailData): MailContent {
  const language = chooseLanguage(...data.locales);
  const words = WORDS[language]({
    siteName: data.siteName,
    link: oneTimeLink(data.verifyUrl, data.token),
    lifetime: durationInWords(language, data.lifetimeSeconds),
  });
  return layOut(language, data.siteName, words);
}

const WORDS: Readonly<Record<Language, (parts: Parts) => MailWords>> = {
  en: ({ siteName, link, lifetime }) => ({
    subject: `Confirm your e-mail address for ${siteName}`,
    opening: [
      `Welcome to ${siteName}. Please confirm that this e-mail address is yours, ` +
        "and your account is ready.",
    ],
    button: { label: "Confirm e-mail address", link },
    closing: [
      `The link works once, for ${lifetime}.`,
      "If you did not register, you need not do anything: " +
        "without a confirmation the address will not be used.",
    ],
  }),

  de: ({ siteName, link, lifetime }) => ({
    subject: `Bestätigen Sie Ihre E-Mail-Adresse für ${siteName}`,
    opening: [
      `Willkommen bei ${siteName}. Bitte bestätigen Sie, dass diese E-Mail-Adresse Ihnen gehört; ` +
        "dann ist Ihr Konto bereit.",
    ],
    button: { label: "E-Mail-Adresse bestätigen", link },
    closing: [
      `Der Link gilt einmal, ${lifetime} lang.`,
      "Falls Sie sich nicht registriert haben, brauchen Sie nichts zu tun: " +
        "Ohne Bestätigung wird die Adresse nicht verwendet.",
    ],
  }),
};
