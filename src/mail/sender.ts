import { parseEmailAddress } from "../model/email-address.ts";
import { parseText } from "../model/text.ts";
import type { MailSender } from "./mailer.ts";

const NAME_AND_ADDRESS = /^(?:"?([^"<>]*?)"?\s*<([^<>]+)>|([^<>]+))$/;

/** Reads a sender, `Name <address>` or an address alone. @throws {Failure} `invalid_field` */
export function parseSender(text: string): MailSender {
  const [, name = "", address = "", bare = ""] = NAME_AND_ADDRESS.exec(text.trim()) ?? [];
  return {
    name: parseText(name, "SMTP_FROM", { max: 200 }),
    address: parseEmailAddress(address || bare, "SMTP_FROM"),
  };
}
