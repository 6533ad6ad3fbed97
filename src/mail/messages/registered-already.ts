import { noticeMessage } from "../message.ts";

/**
 * Tells a User that someone has registered their address again.
 *
 * The caller of Register gets the same answer as for a free address, so this mail is the only
 * place that says that there is an account, and only the owner of the address reads it.
 */
export const registeredAlreadyMessage = noticeMessage({
  en: ({ siteName, loginUrl }) => ({
    subject: `You already have an account with ${siteName}`,
    opening: [
      `Someone, perhaps you, has just tried to register at ${siteName} with this e-mail address. ` +
        "It already has an account, and nothing about it has changed.",
      "If it was you, log in as usual. A forgotten password can be reset there.",
    ],
    button: loginUrl && { label: "Log in", link: loginUrl },
    closing: ["If it was not you, you need not do anything."],
  }),

  de: ({ siteName, loginUrl }) => ({
    subject: `Sie haben bereits ein Konto bei ${siteName}`,
    opening: [
      `Jemand, vielleicht Sie, wollte sich gerade mit dieser E-Mail-Adresse bei ${siteName} ` +
        "registrieren. Zu ihr gibt es bereits ein Konto; daran hat sich nichts geändert.",
      "Falls Sie es waren, melden Sie sich wie gewohnt an; ein vergessenes Passwort können Sie " +
        "dort zurücksetzen.",
    ],
    button: loginUrl && { label: "Anmelden", link: loginUrl },
    closing: ["Falls Sie es nicht waren, brauchen Sie nichts zu tun."],
  }),
});
