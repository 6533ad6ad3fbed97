import { linkMessage } from "../message.ts";

/** Invites a person to an account that was made for them. */
export const invitationMessage = linkMessage({
  en: ({ siteName, link, lifetime }) => ({
    subject: `You are invited to ${siteName}`,
    opening: [
      `An account at ${siteName} has been made for this e-mail address. Choose a ` +
        "password, and it is yours.",
    ],
    button: { label: "Accept the invitation", link },
    closing: [
      `The link works once, for ${lifetime}.`,
      "If you did not expect this, you need not do anything.",
    ],
  }),

  de: ({ siteName, link, lifetime }) => ({
    subject: `Sie sind zu ${siteName} eingeladen`,
    opening: [
      `Für diese E-Mail-Adresse wurde ein Konto bei ${siteName} angelegt. Wählen ` +
        "Sie ein Passwort, dann gehört es Ihnen.",
    ],
    button: { label: "Einladung annehmen", link },
    closing: [
      `Der Link gilt einmal, ${lifetime} lang.`,
      "Falls Sie das nicht erwartet haben, brauchen Sie nichts zu tun.",
    ],
  }),
});
