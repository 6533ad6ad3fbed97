import { noticeMessage } from "../message.ts";

/** Tells a User that there are new recovery codes. */
export const recoveryCodesChangedMessage = noticeMessage({
  en: ({ siteName, loginUrl }) => ({
    subject: `New recovery codes for ${siteName}`,
    opening: [
      `New recovery codes have just been made for your account at ${siteName}. The ` +
        "earlier ones no longer work.",
    ],
    button: loginUrl && { label: "Log in", link: loginUrl },
    closing: ["If it was not you, set a new password at once and look through your account."],
  }),

  de: ({ siteName, loginUrl }) => ({
    subject: `Neue Wiederherstellungscodes für ${siteName}`,
    opening: [
      `Für Ihr Konto bei ${siteName} wurden soeben neue Wiederherstellungscodes ` +
        "erzeugt. Die früheren gelten nicht mehr.",
    ],
    button: loginUrl && { label: "Anmelden", link: loginUrl },
    closing: [
      "Falls Sie es nicht waren, legen Sie sofort ein neues Passwort fest und " +
        "prüfen Sie Ihr Konto.",
    ],
  }),
});
