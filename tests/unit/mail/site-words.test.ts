import { describe, expect, test } from "vitest";
import type { LinkMailData } from "../../../src/mail/message.ts";
import { newDeviceMessage } from "../../../src/mail/messages/new-device.ts";
import { verifyEmailMessage } from "../../../src/mail/messages/verify-email.ts";
import { type MailTemplate, parseMailTemplate } from "../../../src/model/mail-template.ts";
import { secret } from "../../../src/model/secret.ts";
import { parseHttpUrl } from "../../../src/model/url.ts";

const EMPTY = { subject: "", opening: "", button: "", closing: "" };
const FRENCH: MailTemplate = {
  mail: "verify_email",
  locale: "fr",
  subject: "Bienvenue chez {site}",
  opening: "Bonjour.\n\nIl reste une étape :\nconfirmez votre adresse.",
  button: "Confirmer",
  closing: "Le lien est valable {lifetime}.",
};

const data: LinkMailData = {
  siteName: "Tools & Toys",
  accentColor: "",
  pageOf: () => parseHttpUrl("https://app.example.com/verify", "url"),
  token: secret("sgn_ot_abc"),
  lifetimeSeconds: 86_400,
  locales: ["fr-CA", "en"],
  templates: [FRENCH],
};

describe("a Site's own words", () => {
  test("stand in every part of the mail, with values in place of names in braces", () => {
    const { subject, text, html, language } = verifyEmailMessage(data);

    expect(subject).toBe("Bienvenue chez Tools & Toys");
    expect(language).toBe("fr");
    expect(html).toContain('<html lang="fr">');
    expect(text).toBe(
      [
        "Bonjour.",
        "Il reste une étape :\nconfirmez votre adresse.",
        "Confirmer:\nhttps://app.example.com/verify?token=sgn_ot_abc",
        "Le lien est valable 24\u00a0heures.",
        "-- \nTools & Toys\n",
      ].join("\n\n"),
    );
  });

  test("are shown as they stand, and are no markup", () => {
    const opening = '<img src=x onerror="alert(1)"> {site} &amp;';
    const templates = [{ ...FRENCH, opening, button: "<b>", closing: "</div></body>" }];

    const { html } = verifyEmailMessage({ ...data, templates });

    expect(html).toContain(
      "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; Tools &amp; Toys &amp;amp;",
    );
    expect(html).toContain("&lt;b&gt;</a>");
    expect(html.match(/<\/body>/g)).toHaveLength(1);
  });

  test("leave Signet's where they are empty, in its languages", () => {
    const templates = [{ ...FRENCH, ...EMPTY, locale: "de", subject: "Willkommen" }];

    const { subject, text } = verifyEmailMessage({ ...data, locales: ["de-AT"], templates });

    expect(subject).toBe("Willkommen");
    expect(text).toContain("Bitte bestätigen Sie");
    expect(text).toContain("24 Stunden lang");
  });

  test("leave nothing of Signet's in a language that it does not have", () => {
    const { text } = verifyEmailMessage({ ...data, templates: [{ ...FRENCH, closing: "" }] });

    expect(text).not.toMatch(/link|address/i);
  });

  test.each([
    [["fr"], "fr"],
    [["FR-be"], "fr"],
    [["es", "fr"], "fr"],
    [["de", "fr"], "de"],
    [["es"], "en"],
    [[], "en"],
  ])("are chosen for %j: %s", (locales, language) => {
    expect(verifyEmailMessage({ ...data, locales }).language).toBe(language);
  });

  test("of the closest language are chosen", () => {
    const brazilian = { ...FRENCH, locale: "pt-BR", subject: "Bem-vindo" };
    const templates = [{ ...FRENCH, locale: "pt", subject: "Benvindo" }, brazilian];
    const subjectFor = (locale: string) =>
      verifyEmailMessage({ ...data, locales: [locale], templates }).subject;

    expect([subjectFor("pt-BR"), subjectFor("pt-PT")]).toEqual(["Bem-vindo", "Benvindo"]);
  });

  test("may name when and from where somebody has signed in", () => {
    const time = new Date("2026-02-03T04:05:06Z");
    const opening = "{time} {ip} {lifetime}";
    const template: MailTemplate = { ...FRENCH, mail: "new_device", opening };
    const site = { siteName: "Tools", accentColor: "" };
    const words = { ...site, locales: ["fr"], templates: [template] };

    const { text } = newDeviceMessage({ ...words, loginUrl: undefined, ip: "192.0.2.1", time });

    expect(text).toContain("3 février 2026 à 04:05 UTC 192.0.2.1 {lifetime}");
  });
});

describe("a template", () => {
  test.each([
    ["subject", "Hello\r\nBcc: eve@example.com"],
    ["subject", "Hello\nBcc: eve@example.com"],
    ["subject", "Hello\u2028Bcc: eve@example.com"],
    ["subject", "x".repeat(201)],
    ["button", "Click\nhere"],
    ["button", "x".repeat(61)],
    ["opening", "a\u0000b"],
    ["opening", "\u202Etxt.exe"],
    ["closing", "x".repeat(2_001)],
    ["subject", "{link}"],
    ["opening", "{token}"],
    ["closing", "{time}"],
    ["opening", "{}"],
    ["locale", "no language"],
  ])("is refused for its %s %j", (field, text) => {
    const refused = () => parseMailTemplate("verify_email", { ...FRENCH, [field]: text });

    expect(refused).toThrow(
      expect.objectContaining({
        reason: "invalid_field",
        metadata: expect.objectContaining({ field: `template.${field}` }),
      }),
    );
  });

  test("keeps its paragraphs, and its language in one form", () => {
    const parsed = parseMailTemplate("verify_email", {
      ...FRENCH,
      locale: "FR-ca",
      opening: " one\r\ntwo\r\n\r\nthree \n",
    });

    expect(parsed).toMatchObject({ locale: "fr-CA", opening: "one\ntwo\n\nthree" });
  });
});
