import { linkMessage } from "../message.ts";

/** Asks the owner of a new address to confirm it; goes to that address. */
export const emailChangeMessage = linkMessage({
  en: ({ siteName, link, lifetime }) => ({
    subject: `Confirm your new e-mail address for ${siteName}`,
    opening: [
      `This e-mail address is to become the one of an account at ${siteName}. ` +
        "Please confirm that it is yours.",
    ],
    button: { label: "Confirm new address", link },
    closing: [
      `The link works once, for ${lifetime}.`,
      "If you did not ask for this, you need not do anything: without a " +
        "confirmation nothing changes.",
    ],
  }),

  de: ({ siteName, link, lifetime }) => ({
    subject: `Bestätigen Sie Ihre neue E-Mail-Adresse für ${siteName}`,
    opening: [
      `Diese E-Mail-Adresse soll die eines Kontos bei ${siteName} werden. Bitte ` +
        "bestätigen Sie, dass sie Ihnen gehört.",
    ],
    button: { label: "Neue Adresse bestätigen", link },
    closing: [
      `Der Link gilt einmal, ${lifetime} lang.`,
      "Falls Sie das nicht wollten, brauchen Sie nichts zu tun: Ohne Bestätigung " +
        "ändert sich nichts.",
    ],
  }),
});
