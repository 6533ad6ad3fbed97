import { linkMessage } from "../message.ts";

/** Lets a User set a new password. */
export const resetPasswordMessage = linkMessage({
  en: ({ siteName, link, lifetime }) => ({
    subject: `Set a new password for ${siteName}`,
    opening: [
      `Someone, perhaps you, has asked to set a new password for your account at ${siteName}.`,
    ],
    button: { label: "Set a new password", link },
    closing: [
      `The link works once, for ${lifetime}.`,
      "If it was not you, you need not do anything: your present password stays as it is.",
    ],
  }),

  de: ({ siteName, link, lifetime }) => ({
    subject: `Neues Passwort für ${siteName} festlegen`,
    opening: [
      `Jemand, vielleicht Sie, möchte für Ihr Konto bei ${siteName} ein neues Passwort festlegen.`,
    ],
    button: { label: "Neues Passwort festlegen", link },
    closing: [
      `Der Link gilt einmal, ${lifetime} lang.`,
      "Falls Sie es nicht waren, brauchen Sie nichts zu tun: Ihr jetziges Passwort " +
        "bleibt, wie es ist.",
    ],
  }),
});
