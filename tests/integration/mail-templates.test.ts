import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { MailKind } from "../../gen/signet/v1/site_pb.ts";
import {
  clientsOf,
  createKey,
  grpcClients,
  openSite,
  patiently,
  refusal,
  signUp,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase } from "../support/database.ts";
import { mailTo, startSmtpMailbox } from "../support/mailbox.ts";
import { startService } from "../support/service.ts";

const mailbox = await startSmtpMailbox();
const database = await openTestDatabase();
const service = await startService({
  databaseUrl: database.appUrl,
  env: { SMTP_URL: mailbox.url, SMTP_FROM: "Signet <signet@example.com>" },
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await mailbox[Symbol.asyncDispose]();
});
const transport = createGrpcTransport({ baseUrl: service.url });
const open = () => openSite(transport, service.operatorKey, { name: "Zürich Tools" });
const TEMPLATE = {
  kind: MailKind.VERIFY_EMAIL,
  locale: "fr",
  subject: "Bienvenue chez {site}",
  opening: "Il reste une étape.",
  button: "Confirmer",
  closing: "Le lien est valable {lifetime}.",
};

describe("a Site's own words for a mail", () => {
  test("are sent to those who have the language, until they are removed", async () => {
    const { backend, siteId } = await open();
    const { template } = await backend.sites.setMailTemplate({ template: TEMPLATE });
    const [first, second, third] = [uniqueEmail(), uniqueEmail(), uniqueEmail()];

    await backend.auth.register({ email: first, locale: "fr-CA" });
    await backend.auth.register({ email: second, locale: "de" });
    const [own, german] = [await arrived(first), await arrived(second)];
    await backend.sites.deleteMailTemplate({ siteId, kind: TEMPLATE.kind, locale: "fr" });
    await backend.auth.register({ email: third, locale: "fr-CA" });

    expect(template).toMatchObject(TEMPLATE);
    expect(own.subject).toBe("=?UTF-8?Q?Bienvenue_chez_Z=C3=BCrich_Tools?=");
    expect(own.token).toMatch(/^sgn_ot_/);
    expect(german.subject).toContain("Best=C3=A4tigen");
    expect((await arrived(third)).subject).toContain("Confirm_your_e-mail");
  });

  test("are listed as they were set last, and told of in the log", async () => {
    const { backend } = await open();
    const { sites, users } = backend;
    const set = (changed: object) =>
      sites.setMailTemplate({ template: { ...TEMPLATE, ...changed } });
    await set({});
    await set({ locale: "es" });
    await set({ kind: MailKind.RESET_PASSWORD });
    await set({ subject: "Bienvenue" });
    await sites.deleteMailTemplate({ kind: MailKind.RESET_PASSWORD, locale: "FR" });
    await sites.deleteMailTemplate({ kind: MailKind.RESET_PASSWORD, locale: "fr" });

    const { templates } = await sites.listMailTemplates({});
    const kinds = ["site.mail_template_set", "site.mail_template_deleted"];
    const { events } = await users.listAuditEvents({ kinds, oldestFirst: true });

    expect(templates.map(({ locale, subject }) => [locale, subject])).toEqual([
      ["es", TEMPLATE.subject],
      ["fr", "Bienvenue"],
    ]);
    expect(events.map(({ facts }) => `${facts.mail} ${facts.locale}`)).toEqual([
      "verify_email fr",
      "verify_email es",
      "reset_password fr",
      "verify_email fr",
      "reset_password fr",
    ]);
  });

  test.each([
    ["template.subject", { subject: "x\r\nBcc: eve@example.com" }],
    ["template.opening", { opening: "{token}" }],
    ["template.kind", { kind: MailKind.UNSPECIFIED }],
    ["template.locale", { locale: "" }],
    ["template.button", { button: "" }],
  ])("are refused for %s", async (field, changed) => {
    const { backend } = await open();

    const refused = await refusal(
      backend.sites.setMailTemplate({ template: { ...TEMPLATE, ...changed } }),
    );

    expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
  });

  test("are no more than 120, however many are set at once", async () => {
    const { backend } = await open();
    const letters = [..."abcdefghijklmnopqrstuvwxyz"];
    const locales = letters.flatMap((a) => letters.slice(0, 5).map((b) => `x${a}${b}`));
    const set = (locale: string) =>
      backend.sites.setMailTemplate({ template: { ...TEMPLATE, locale } });

    const outcomes = await Promise.allSettled(
      locales.map((locale) => patiently(() => set(locale))),
    );

    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(120);
    expect((await backend.sites.listMailTemplates({})).templates).toHaveLength(120);
    const [kept = ""] = (await backend.sites.listMailTemplates({})).templates.map(
      ({ locale }) => locale,
    );
    await set(kept);
    expect(await refusal(set("zzz"))).toMatchObject({
      code: "ResourceExhausted",
      reason: "LIMIT_REACHED",
    });
  });

  test("are one Site's alone, and take the scope site.admin, an admin or an operator", async () => {
    const [mine, theirs] = [await open(), await open()];
    await mine.backend.sites.setMailTemplate({ template: TEMPLATE });
    const { siteId } = mine;
    const operator = clientsOf(transport, service.operatorKey);
    const scopes = [Scope.AUTH, Scope.AUTH_TOKENS, Scope.USERS_READ, Scope.USERS_WRITE, Scope.SYNC];
    const weak = grpcClients(service.url, await createKey(operator, siteId, { scopes }));
    const { accessToken } = await signUp(mine.backend);
    const user = grpcClients(service.url, accessToken);

    const foreign = await refusal(theirs.backend.sites.listMailTemplates({ siteId }));
    const denied = [
      await refusal(weak.sites.setMailTemplate({ template: TEMPLATE })),
      await refusal(user.sites.listMailTemplates({})),
    ];

    expect(foreign.reason).toBe("SITE_NOT_FOUND");
    expect(denied.map(({ reason }) => reason)).toEqual(["ACCESS_DENIED", "ACCESS_DENIED"]);
    expect((await theirs.backend.sites.listMailTemplates({})).templates).toEqual([]);
    expect((await operator.sites.listMailTemplates({ siteId })).templates).toHaveLength(1);
  });
});

test("the button of a mail has the Site's colour, from the next mail on", async () => {
  const { backend } = await open();
  const [before, after] = [uniqueEmail(), uniqueEmail()];

  await backend.auth.register({ email: before });
  const own = await arrived(before);
  await backend.sites.updateSite({ accentColor: "#FFE14D" });
  await backend.auth.register({ email: after });
  const coloured = await arrived(after);

  expect(own.source).toContain("background:#1d4ed8;color:#ffffff;");
  expect(coloured.source).toContain("background:#ffe14d;color:#000000;");
});

function arrived(address: string) {
  return mailTo(() => mailbox.mails, address);
}
