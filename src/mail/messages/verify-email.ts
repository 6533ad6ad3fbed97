import { linkMessage } from "../message.ts";

/** Asks a new User to confirm that the address is theirs. */
export const verifyEmailMessage = linkMessage({
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
});
