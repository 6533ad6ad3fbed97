import { describe, expect, test } from "vitest";
import { LANGUAGES } from "../../../src/mail/language.ts";
import type { LinkMailData } from "../../../src/mail/message.ts";
import { accountLockedMessage } from "../../../src/mail/messages/account-locked.ts";
import { emailChangeMessage } from "../../../src/mail/messages/email-change.ts";
import { emailChangeTakenMessage } from "../../../src/mail/messages/email-change-taken.ts";
import { emailChangedMessage } from "../../../src/mail/messages/email-changed.ts";
import { invitationMessage } from "../../../src/mail/messages/invitation.ts";
import { mfaChangedMessage } from "../../../src/mail/messages/mfa-changed.ts";
import { newDeviceMessage } from "../../../src/mail/messages/new-device.ts";
import { passwordChangedMessage } from "../../../src/mail/messages/password-changed.ts";
import { recoveryCodesChangedMessage } from "../../../src/mail/messages/recovery-codes-changed.ts";
import { registeredAlreadyMessage } from "../../../src/mail/messages/registered-already.ts";
import { resetPasswordMessage } from "../../../src/mail/messages/reset-password.ts";
import { verifyEmailMessage } from "../../../src/mail/messages/verify-email.ts";
import { secret } from "../../../src/model/secret.ts";
import { parseHttpUrl } from "../../../src/model/url.ts";

const pageUrl = parseHttpUrl("https://app.example.com/verify?from=mail&token=old", "url");
const data: LinkMailData = {
  siteName: "Tools & Toys",
  accentColor: "",
  pageOf: () => pageUrl,
  token: secret("sgn_ot_abc-_123"),
  lifetimeSeconds: 86_400,
  locales: ["en-GB"],
};
const link = "https://app.example.com/verify?from=mail&token=sgn_ot_abc-_123";

describe("the mail that verifies an address", () => {
  test("has the link in both parts, escaped where it must be", () => {
    const content = verifyEmailMessage(data);

    expect(content.link).toBe(link);
    expect(content.text).toContain(`\n${link}\n`);
    expect(content.html).toContain(`href="${link.replace("&", "&amp;")}"`);
    expect(content.html).toContain("Tools &amp; Toys");
    expect(content.subject).toBe("Confirm your e-mail address for Tools & Toys");
  });

  test("is written in the first locale that there is a language for", () => {
    const languageOf = (...locales: (string | undefined)[]) =>
      verifyEmailMessage({ ...data, locales }).language;

    expect(languageOf("de-AT")).toBe("de");
    expect(languageOf(undefined, "DE")).toBe("de");
    expect(languageOf("fr", "de")).toBe("de");
    expect(languageOf("den", "fr")).toBe("en");
    expect(languageOf()).toBe("en");
  });

  test.each([
    [86_400, "24 hours", "24 Stunden"],
    [3_600, "1 hour", "1 Stunde"],
    [900, "15 minutes", "15 Minuten"],
    [604_800, "7 days", "7 Tage"],
  ])("says how long %i seconds are, in words", (lifetimeSeconds, english, german) => {
    const textOf = (locale: string) =>
      verifyEmailMessage({ ...data, lifetimeSeconds, locales: [locale] }).text;

    expect(textOf("en")).toContain(`for ${english}.`);
    expect(textOf("de")).toContain(`${german} lang.`);
  });

  test("shows markup in the Site's name as text", () => {
    const siteName = `<img src=x onerror="alert('x')">`;

    const { html, text } = verifyEmailMessage({ ...data, siteName });

    expect(html).not.toContain("<img");
    expect(html).toContain("&lt;img src=x onerror=&quot;alert(&#39;x&#39;)&quot;&gt;");
    expect(text).toContain(siteName);
  });
});

describe("the button of a mail", () => {
  test.each([
    ["", "#1d4ed8", "#ffffff"],
    ["#0b7a4b", "#0b7a4b", "#ffffff"],
    ["#ffe14d", "#ffe14d", "#000000"],
  ])("has the Site's colour %j, and text that can be read on it", (accentColor, back, text) => {
    const link = verifyEmailMessage({ ...data, accentColor });
    const notice = registeredAlreadyMessage({ ...data, accentColor, loginUrl: pageUrl });

    for (const { html } of [link, notice]) {
      expect(html).toContain(`;background:${back};color:${text};`);
    }
  });
});

describe("the mail to an address that is registered already", () => {
  test("has no token, and no button where the Site has no page to log in at", () => {
    const content = registeredAlreadyMessage({ ...data, loginUrl: undefined });

    expect(content.link).toBeUndefined();
    expect(content.html).not.toContain("href");
    expect(content.text).not.toContain("sgn_ot_");
  });

  test("leads to the Site's page to log in at", () => {
    const loginUrl = parseHttpUrl("https://app.example.com/login", "url");

    expect(registeredAlreadyMessage({ ...data, loginUrl }).html).toContain(`href="${loginUrl}"`);
  });
});

const NOTICES = [
  registeredAlreadyMessage,
  emailChangeTakenMessage,
  emailChangedMessage,
  passwordChangedMessage,
  mfaChangedMessage,
  recoveryCodesChangedMessage,
  accountLockedMessage,
];
const LINK_MAILS = [
  verifyEmailMessage,
  resetPasswordMessage,
  invitationMessage,
  emailChangeMessage,
];

test.each(LANGUAGES)(
  "each message in %s is complete and has no header's line break",
  (language) => {
    const locales = [language];
    const { siteName, accentColor } = data;
    const notice = { siteName, accentColor, loginUrl: pageUrl, locales };
    const device = { ip: "192.0.2.7", time: new Date("2026-03-04T05:06:07Z") };
    const contents = [
      ...LINK_MAILS.map((message) => message({ ...data, locales })),
      ...NOTICES.map((message) => message(notice)),
      newDeviceMessage({ ...notice, ...device }),
    ];

    for (const { subject, text, html, ...content } of contents) {
      expect(content.language).toBe(language);
      expect(html).toContain(`<html lang="${language}">`);
      expect(subject).not.toMatch(/[\r\n]/);
      expect(subject + text + html).not.toMatch(/undefined|\[secret\]|\[object/);
    }
    expect(new Set(contents.map(({ subject }) => subject)).size).toBe(contents.length - 1);
    expect(contents.at(-1)?.text).toMatch(/2026.*05:06 UTC\n.*192\.0\.2\.7/);
  },
);
