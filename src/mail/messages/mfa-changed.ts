import { noticeMessage } from "../message.ts";

/** Tells a User that the second factor was added or removed. */
export const mfaChangedMessage = noticeMessage({
  en: ({ siteName, loginUrl }) => ({
    subject: `Two-step sign-in for ${siteName} was changed`,
    opening: [
      `The second factor of your account at ${siteName} has just been added or ` +
        "removed. All other devices have been signed out.",
    ],
    button: loginUrl && { label: "Log in", link: loginUrl },
    closing: ["If it was not you, set a new password at once and look through your account."],
  }),

  de: ({ siteName, loginUrl }) => ({
    subject: `Die Anmeldung in zwei Schritten für ${siteName} wurde geändert`,
    opening: [
      `Der zweite Faktor Ihres Kontos bei ${siteName} wurde soeben eingerichtet ` +
        "oder entfernt. Alle anderen Geräte sind abgemeldet.",
    ],
    button: loginUrl && { label: "Anmelden", link: loginUrl },
    closing: [
      "Falls Sie es nicht waren, legen Sie sofort ein neues Passwort fest und " +
        "prüfen Sie Ihr Konto.",
    ],
  }),
});
