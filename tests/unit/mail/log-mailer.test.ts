import { expect, test } from "vitest";
import { createLogMailer } from "../../../src/mail/log-mailer.ts";
import { type MailMessage, messageIdOf } from "../../../src/mail/mailer.ts";
import { parseEmailAddress } from "../../../src/model/email-address.ts";

const message: MailMessage = {
  id: "job-42",
  from: { name: "Tools", address: parseEmailAddress("no-reply@example.com", "from") },
  to: parseEmailAddress("ada@example.com", "to"),
  content: {
    subject: "Confirm",
    text: "Confirm:\nhttps://app.example.com/?token=x\n",
    html: "<p></p>",
    language: "en",
    link: "https://app.example.com/?token=x",
  },
};

test("the development mailer prints recipient, subject and link", async () => {
  const printed: string[] = [];

  await createLogMailer((text) => printed.push(text)).send(message);

  expect(printed).toEqual([
    [
      "mail, printed and not sent:",
      "  from:    Tools <no-reply@example.com>",
      "  to:      ada@example.com",
      "  subject: Confirm",
      "  link:    https://app.example.com/?token=x",
    ].join("\n"),
  ]);
});

test("the development mailer prints the text of a mail that has no link", async () => {
  const printed: string[] = [];
  const content = { ...message.content, text: "One.\n\nTwo.\n", link: undefined };

  await createLogMailer((text) => printed.push(text)).send({ ...message, content });

  expect(printed.join()).toContain("  One.\n  \n  Two.");
});

test("the Message-ID of a mail is the same each time", () => {
  expect(messageIdOf(message)).toBe("<job-42@example.com>");
});

test.each([[""], ["a b"], ["a>\r\nbcc: x"], ["a@b"], [".a"], ["a..b"], ["a".repeat(101)]])(
  "a mail's id cannot be %j",
  (id) => {
    expect(() => messageIdOf({ ...message, id })).toThrow("malformed");
  },
);
