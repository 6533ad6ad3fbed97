import { noticeMessage } from "../message.ts";

/** Tells a User, at the old address, that the address was changed. */
export const emailChangedMessage = noticeMessage({
  en: ({ siteName, loginUrl }) => ({
    subject: `Your e-mail address for ${siteName} was changed`,
    opening: [
      `The e-mail address of your account at ${siteName} is another one from now ` +
        "on. This is the last mail to this one.",
    ],
    button: loginUrl && { label: "Log in", link: loginUrl },
    closing: [`If it was not you, write to those who run ${siteName} at once.`],
  }),

  de: ({ siteName, loginUrl }) => ({
    subject: `Ihre E-Mail-Adresse für ${siteName} wurde geändert`,
    opening: [
      `Ihr Konto bei ${siteName} hat ab jetzt eine andere E-Mail-Adresse. Dies ist ` +
        "die letzte Nachricht an diese.",
    ],
    button: loginUrl && { label: "Anmelden", link: loginUrl },
    closing: [`Falls Sie es nicht waren, wenden Sie sich sofort an die Betreiber von ${siteName}.`],
  }),
});
