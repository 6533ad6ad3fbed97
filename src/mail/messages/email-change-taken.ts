import { noticeMessage } from "../message.ts";

/** Tells a User that somebody wanted their address for another account. */
export const emailChangeTakenMessage = noticeMessage({
  en: ({ siteName, loginUrl }) => ({
    subject: `You already have an account with ${siteName}`,
    opening: [
      "Someone, perhaps you, has asked to use this e-mail address for another " +
        `account at ${siteName}. It already has one, and nothing about it has ` +
        "changed.",
    ],
    button: loginUrl && { label: "Log in", link: loginUrl },
    closing: ["If it was not you, you need not do anything."],
  }),

  de: ({ siteName, loginUrl }) => ({
    subject: `Sie haben bereits ein Konto bei ${siteName}`,
    opening: [
      "Jemand, vielleicht Sie, wollte diese E-Mail-Adresse für ein anderes Konto " +
        `bei ${siteName} verwenden. Zu ihr gibt es bereits eines; daran hat sich ` +
        "nichts geändert.",
    ],
    button: loginUrl && { label: "Anmelden", link: loginUrl },
    closing: ["Falls Sie es nicht waren, brauchen Sie nichts zu tun."],
  }),
});
