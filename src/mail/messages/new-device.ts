import { type NoticeMailData, noticeMessage } from "../message.ts";

/** What the mail tells of the login. */
export interface NewDeviceMailData extends NoticeMailData {
  /** Text form of the device's address; empty: unknown. */
  readonly ip: string;
  readonly time: Date;
}

/** Tells a User of a login from a device that was not seen before. */
export const newDeviceMessage = noticeMessage<NewDeviceMailData>(
  {
    en: ({ siteName, loginUrl, ip, time }) => ({
      subject: `New sign-in to ${siteName}`,
      opening: [
        `Your account at ${siteName} was signed in to from a device that was not seen before.`,
        `Time: ${timeInWords("en", time)}${ip && `\nAddress: ${ip}`}`,
      ],
      button: loginUrl && { label: "Log in", link: loginUrl },
      closing: [
        "If it was you, you need not do anything.",
        "If it was not you, set a new password at once: this signs out every device.",
      ],
    }),

    de: ({ siteName, loginUrl, ip, time }) => ({
      subject: `Neue Anmeldung bei ${siteName}`,
      opening: [
        `Bei Ihrem Konto bei ${siteName} hat sich ein Gerät angemeldet, das bisher unbekannt war.`,
        `Zeit: ${timeInWords("de", time)}${ip && `\nAdresse: ${ip}`}`,
      ],
      button: loginUrl && { label: "Anmelden", link: loginUrl },
      closing: [
        "Falls Sie es waren, brauchen Sie nichts zu tun.",
        "Falls Sie es nicht waren, legen Sie sofort ein neues Passwort fest: " +
          "Das meldet alle Geräte ab.",
      ],
    }),
  },
  ({ ip, time }, locale) => ({ ip, time: timeInWords(locale, time) }),
);

function timeInWords(locale: string, time: Date): string {
  const options = { dateStyle: "long", timeStyle: "short", hourCycle: "h23" } as const;
  return `${new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).format(time)} UTC`;
}
