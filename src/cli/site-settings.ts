import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { LinkPagesSchema, MfaPolicy, SigningAlgorithm } from "../../gen/signet/v1/site_pb.ts";
import { enumOption, listOption, numberOption, present } from "./options.ts";
import {
  type LifetimesInit,
  lifetimeOption,
  MFA_POLICIES,
  SIGNING_ALGORITHMS,
} from "./site-options.ts";

/** Pages as far as they were given. */
type LinkPagesInit = MessageInitShape<typeof LinkPagesSchema>;

/** The settings of a Site that creating and changing it share. */
export interface SiteSettings {
  readonly domain?: string[];
  readonly redirectUrl?: string[];
  readonly origin?: string[];
  readonly mailAddress?: string;
  readonly mailName?: string;
  readonly mfaPolicy?: MfaPolicy;
  readonly passwordLengthMin?: number;
  readonly lifetime?: LifetimesInit;
  readonly signingAlgorithm?: SigningAlgorithm;
  readonly defaultAudience?: string;
  readonly locale?: string;
  readonly accentColor?: string;
  readonly verifyEmailUrl?: string;
  readonly resetPasswordUrl?: string;
  readonly acceptInvitationUrl?: string;
  readonly confirmEmailChangeUrl?: string;
}

/** Adds the options of {@link SiteSettings}. */
export function addSiteSettings(command: Command): Command {
  return command
    .addOption(listOption("--domain <host>", "a host name it is found by"))
    .addOption(listOption("--redirect-url <url>", "where a link in a mail may lead on to"))
    .addOption(listOption("--origin <origin>", "an origin from which browsers may call"))
    .option("--mail-address <address>", "who its mails come from")
    .option("--mail-name <name>", "the name beside that address")
    .addOption(enumOption("--mfa-policy <word>", "a second factor", MFA_POLICIES))
    .addOption(numberOption("--password-length-min <n>", "characters of a password, 8 to 64"))
    .addOption(lifetimeOption("--lifetime <name=seconds>"))
    .addOption(enumOption("--signing-algorithm <word>", "of its tokens", SIGNING_ALGORITHMS))
    .option("--default-audience <text>", "the audience of its tokens (default: the issuer)")
    .option("--locale <tag>", "the language of mails to Users who have none, such as de-AT")
    .option("--accent-color <#rrggbb>", "the colour of hosted pages and mails")
    .option("--verify-email-url <url>", 'its page for the links of mails; "": Signet\'s own')
    .option("--reset-password-url <url>", "the same for a new password")
    .option("--accept-invitation-url <url>", "the same for invitations")
    .option("--confirm-email-change-url <url>", "the same for a new address");
}

/** Returns the settings that a request has under the same name, whether it creates or changes. */
export function plainSettingsOf(settings: SiteSettings) {
  const { mfaPolicy, passwordLengthMin, signingAlgorithm, defaultAudience } = settings;
  const { locale, accentColor } = settings;
  const ofPages = { locale, accentColor };
  return { mfaPolicy, passwordLengthMin, signingAlgorithm, defaultAudience, ...ofPages };
}

/** Returns the pages that are given for the links of mails; undefined: none is. */
export function linkPagesOf(settings: SiteSettings): LinkPagesInit | undefined {
  const { verifyEmailUrl, resetPasswordUrl, acceptInvitationUrl, confirmEmailChangeUrl } = settings;
  const ofPassword = { resetPasswordUrl, acceptInvitationUrl };
  const given = present({ verifyEmailUrl, ...ofPassword, confirmEmailChangeUrl });
  return Object.keys(given).length > 0 ? given : undefined;
}
