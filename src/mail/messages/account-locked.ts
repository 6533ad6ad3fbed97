import { noticeMessage } from "../message.ts";

/** Tells a User that guesses at the password have been stopped. */
export const accountLockedMessage = noticeMessage({
  en: ({ siteName, loginUrl }) => ({
    subject: `Attempts to sign in to your account at ${siteName}`,
    opening: [
      `Someone has tried many times to sign in to your account at ${siteName} with ` +
        "a wrong password or code. Further attempts from unknown devices are refused " +
        "for a while.",
      "If you have forgotten your password, you can set a new one, and sign in with it at once.",
    ],
    button: loginUrl && { label: "Log in", link: loginUrl },
    closing: ["If it was not you, you need not do anything: nobody has got in."],
  }),

  de: ({ siteName, loginUrl }) => ({
    subject: `Anmeldeversuche bei Ihrem Konto bei ${siteName}`,
    opening: [
      "Jemand hat viele Male versucht, sich mit einem falschen Passwort oder Code " +
        `bei Ihrem Konto bei ${siteName} anzumelden. Weitere Versuche von unbekannten ` +
        "Geräten werden eine Zeit lang abgewiesen.",
      "Falls Sie Ihr Passwort vergessen haben, können Sie ein neues festlegen und " +
        "sich damit sofort anmelden.",
    ],
    button: loginUrl && { label: "Anmelden", link: loginUrl },
    closing: ["Falls Sie es nicht waren, brauchen Sie nichts zu tun: Niemand ist hineingekommen."],
  }),
});
