import { noticeMessage } from "../message.ts";

/** Tells a User that the password was changed or reset. */
export const passwordChangedMessage = noticeMessage({
  en: ({ siteName, loginUrl }) => ({
    subject: `Your password for ${siteName} was changed`,
    opening: [
      `The password of your account at ${siteName} has just been changed. All other ` +
        "devices have been signed out.",
    ],
    button: loginUrl && { label: "Log in", link: loginUrl },
    closing: ["If it was not you, set a new password at once and look through your account."],
  }),

  de: ({ siteName, loginUrl }) => ({
    subject: `Ihr Passwort für ${siteName} wurde geändert`,
    opening: [
      `Das Passwort Ihres Kontos bei ${siteName} wurde soeben geändert. Alle ` +
        "anderen Geräte sind abgemeldet.",
    ],
    button: loginUrl && { label: "Anmelden", link: loginUrl },
    closing: [
      "Falls Sie es nicht waren, legen Sie sofort ein neues Passwort fest und " +
        "prüfen Sie Ihr Konto.",
    ],
  }),
});
