import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Lifetimes as LifetimesMessage,
  MfaPolicy,
  SigningAlgorithm,
} from "../../gen/signet/v1/site_pb.ts";
import type { CreateSiteRequest } from "../../gen/signet/v1/site_service_pb.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import {
  issuerOf,
  LIFETIME_RANGES,
  type Lifetimes,
  PASSWORD_LENGTH_MIN_RANGE,
  type Site,
  type SiteSettings,
} from "../model/site.ts";
import { parseLocale, parseText } from "../model/text.ts";
import { parseDomain, parseHttpUrl, parseOrigin } from "../model/url.ts";
import { parseAudience } from "./audiences.ts";

const MFA_POLICY = {
  off: MfaPolicy.OFF,
  optional: MfaPolicy.OPTIONAL,
  required: MfaPolicy.REQUIRED,
} as const;
const ALGORITHM = { ES256: SigningAlgorithm.ES256, RS256: SigningAlgorithm.RS256 } as const;
const DEFAULT_LOCALE = "en";

/** Reads the settings of a new Site, defaults filled in. @throws {Failure} `invalid_field` */
export function parseSiteSettings(request: CreateSiteRequest): SiteSettings {
  return {
    name: parseText(request.name, "name", { max: LIMITS.nameLengthMax, required: true }),
    domains: parseList(request.domains, "domains", LIMITS.domainsMax, parseDomain),
    frontendUrl: parseHttpUrl(request.frontendUrl, "frontend_url"),
    redirectUrls: parseList(
      request.redirectUrls,
      "redirect_urls",
      LIMITS.redirectUrlsMax,
      parseHttpUrl,
    ),
    origins: parseList(request.origins, "origins", LIMITS.domainsMax, parseOrigin),
    mailSenderAddress: parseSenderAddress(request.mailSender?.address ?? ""),
    mailSenderName: parseText(request.mailSender?.name ?? "", "mail_sender.name", {
      max: LIMITS.nameLengthMax,
    }),
    selfRegistration: request.selfRegistration ?? true,
    publicCalls: request.publicCalls,
    mfaPolicy: parseChoice(request.mfaPolicy, MFA_POLICY, "optional", "mfa_policy"),
    passwordLengthMin: parseNumber(
      request.passwordLengthMin,
      PASSWORD_LENGTH_MIN_RANGE,
      "password_length_min",
    ),
    lifetimes: parseLifetimes(request.lifetimes),
    signingAlgorithm: parseChoice(
      request.signingAlgorithm,
      ALGORITHM,
      "ES256",
      "signing_algorithm",
    ),
    defaultAudience:
      request.defaultAudience && parseAudience(request.defaultAudience, "default_audience"),
    locale: request.locale ? parseLocale(request.locale, "locale") : DEFAULT_LOCALE,
    deletionProtected: request.deletionProtected,
  };
}

/** Translates a Site into the fields of its message. */
export function toSiteMessage(site: Site, publicUrl: string) {
  return {
    id: site.id,
    version: BigInt(site.version),
    name: site.name,
    domains: [...site.domains],
    frontendUrl: site.frontendUrl,
    redirectUrls: [...site.redirectUrls],
    origins: [...site.origins],
    mailSender: { address: site.mailSenderAddress, name: site.mailSenderName },
    selfRegistration: site.selfRegistration,
    publicCalls: site.publicCalls,
    mfaPolicy: MFA_POLICY[site.mfaPolicy],
    passwordLengthMin: site.passwordLengthMin,
    lifetimes: site.lifetimes,
    signingAlgorithm: ALGORITHM[site.signingAlgorithm],
    defaultAudience: site.defaultAudience,
    locale: site.locale,
    deletionProtected: site.deletionProtected,
    createTime: timestampFromDate(site.createTime),
    updateTime: timestampFromDate(site.updateTime),
    issuer: issuerOf(publicUrl, site.id),
  };
}

/** Translates what anybody may know of a Site. */
export function toPublicSiteMessage(site: Site, publicUrl: string) {
  const { id, name, frontendUrl, selfRegistration, publicCalls, passwordLengthMin, locale } = site;
  const issuer = issuerOf(publicUrl, id);
  return {
    id,
    name,
    frontendUrl,
    selfRegistration,
    publicCalls,
    passwordLengthMin,
    locale,
    issuer,
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

function parseSenderAddress(text: string): string {
  return text && parseEmailAddress(text, "mail_sender.address");
}
