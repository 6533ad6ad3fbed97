import {
  type Lifetimes as LifetimesMessage,
  type LinkPages as LinkPagesMessage,
  type MailSender,
  MfaPolicy,
  SigningAlgorithm,
} from "../../gen/signet/v1/site_pb.ts";
import { parseColor } from "../model/color.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import {
  LIFETIME_RANGES,
  type Lifetimes,
  type LinkPages,
  PASSWORD_LENGTH_MIN_RANGE,
  type SiteSettings,
} from "../model/site.ts";
import { parseLocale, parseText } from "../model/text.ts";
import { parseDomain, parseHttpUrl, parseOrigin } from "../model/url.ts";
import { parseAudience } from "./audiences.ts";

/** The policies on the wire. */
export const MFA_POLICY = {
  off: MfaPolicy.OFF,
  optional: MfaPolicy.OPTIONAL,
  required: MfaPolicy.REQUIRED,
} as const;

/** The algorithms on the wire. */
export const ALGORITHM = { ES256: SigningAlgorithm.ES256, RS256: SigningAlgorithm.RS256 } as const;

const DEFAULT_LOCALE = "en";

/**
 * Reads each setting of a Site; what is empty or 0 becomes the default.
 *
 * All throw the Failure `invalid_field`, naming the field.
 */
export const PARSE = {
  name: (text: string) => parseText(text, "name", { max: LIMITS.nameLengthMax, required: true }),
  domains: (texts: readonly string[]) =>
    parseList(texts, "domains", LIMITS.domainsMax, parseDomain),
  frontendUrl: (text: string) => parseHttpUrl(text, "frontend_url"),
  redirectUrls: (texts: readonly string[]) =>
    parseList(texts, "redirect_urls", LIMITS.redirectUrlsMax, parseHttpUrl),
  origins: (texts: readonly string[]) =>
    parseList(texts, "origins", LIMITS.domainsMax, parseOrigin),
  mailSender: parseMailSender,
  mfaPolicy: (value: number) => parseChoice(value, MFA_POLICY, "optional", "mfa_policy"),
  passwordLengthMin: (value: number) =>
    parseNumber(value, PASSWORD_LENGTH_MIN_RANGE, "password_length_min"),
  lifetimes: parseLifetimes,
  signingAlgorithm: (value: number) => parseChoice(value, ALGORITHM, "ES256", "signing_algorithm"),
  defaultAudience: (text: string) => text && parseAudience(text, "default_audience"),
  linkPages: parseLinkPages,
  accentColor: (text: string) => text && parseColor(text, "accent_color"),
  locale: (text: string) => (text ? parseLocale(text, "locale") : DEFAULT_LOCALE),
} as const;

function parseMailSender(
  sender: MailSender | undefined,
): Pick<SiteSettings, "mailSenderAddress" | "mailSenderName"> {
  const { address = "", name = "" } = sender ?? {};
  return {
    mailSenderAddress: address && parseEmailAddress(address, "mail_sender.address"),
    mailSenderName: parseText(name, "mail_sender.name", { max: LIMITS.nameLengthMax }),
  };
}

function parseLinkPages(pages: LinkPagesMessage | undefined): LinkPages {
  const parse = (text: string | undefined, name: string) =>
    text ? parseHttpUrl(text, `link_pages.${name}`) : "";
  return {
    verify_email: parse(pages?.verifyEmailUrl, "verify_email_url"),
    reset_password: parse(pages?.resetPasswordUrl, "reset_password_url"),
    accept_invitation: parse(pages?.acceptInvitationUrl, "accept_invitation_url"),
    change_email: parse(pages?.confirmEmailChangeUrl, "confirm_email_change_url"),
  };
}

function parseLifetimes(message: LifetimesMessage | undefined): Lifetimes {
  const parse = (name: keyof Lifetimes, field: string): number =>
    parseNumber(message?.[name] ?? 0, LIFETIME_RANGES[name], `lifetimes.${field}`);
  const lifetimes = {
    accessTokenSeconds: parse("accessTokenSeconds", "access_token_seconds"),
    sessionIdleSeconds: parse("sessionIdleSeconds", "session_idle_seconds"),
    sessionAbsoluteSeconds: parse("sessionAbsoluteSeconds", "session_absolute_seconds"),
    emailVerificationSeconds: parse("emailVerificationSeconds", "email_verification_seconds"),
    passwordResetSeconds: parse("passwordResetSeconds", "password_reset_seconds"),
    invitationSeconds: parse("invitationSeconds", "invitation_seconds"),
    emailChangeSeconds: parse("emailChangeSeconds", "email_change_seconds"),
    mfaChallengeSeconds: parse("mfaChallengeSeconds", "mfa_challenge_seconds"),
    recentLoginSeconds: parse("recentLoginSeconds", "recent_login_seconds"),
  };
  if (lifetimes.sessionAbsoluteSeconds < lifetimes.sessionIdleSeconds) {
    throw invalidField("lifetimes.session_absolute_seconds", "must not be below the idle lifetime");
  }
  return lifetimes;
}

function parseNumber(
  value: number,
  range: { readonly min: number; readonly max: number; readonly default: number },
  field: string,
): number {
  if (value === 0) return range.default;
  if (value >= range.min && value <= range.max) return value;
  throw invalidField(field, `must be from ${range.min} to ${range.max}`);
}

function parseChoice<Choice extends string>(
  value: number,
  choices: Readonly<Record<Choice, number>>,
  fallback: Choice,
  field: string,
): Choice {
  if (value === 0) return fallback;
  for (const choice of Object.keys(choices) as Choice[]) {
    if (choices[choice] === value) return choice;
  }
  throw invalidField(field, "is unknown");
}

function parseList<T extends string>(
  texts: readonly string[],
  field: string,
  max: number,
  parse: (text: string, field: string) => T,
): T[] {
  if (texts.length > max) throw invalidField(field, `must be at most ${max}`);
  return [...new Set(texts.map((text) => parse(text, field)))];
}
