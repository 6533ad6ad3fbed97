import type { Color } from "./color.ts";
import type { SiteId } from "./id.ts";
import type { OneTimePurpose } from "./one-time.ts";
import type { DomainName, HttpUrl, Origin } from "./url.ts";

/** Whether Users may have a second factor, or need one. */
export type MfaPolicy = "off" | "optional" | "required";
/** What signs access tokens (RFC 7518 §3.1). */
export type SigningAlgorithm = "ES256" | "RS256";

/** How long the things of a Site live, in seconds. */
export interface Lifetimes {
  readonly accessTokenSeconds: number;
  readonly sessionIdleSeconds: number;
  readonly sessionAbsoluteSeconds: number;
  readonly emailVerificationSeconds: number;
  readonly passwordResetSeconds: number;
  readonly invitationSeconds: number;
  readonly emailChangeSeconds: number;
  readonly mfaChallengeSeconds: number;
  readonly recentLoginSeconds: number;
}

/** The Site's own pages for the links in mails; empty: the page that Signet hosts. */
export type LinkPages = Readonly<Record<OneTimePurpose, HttpUrl | "">>;

/** What an operator or an admin sets of a Site. */
export interface SiteSettings {
  readonly name: string;
  /** Each belongs to one Site. */
  readonly domains: readonly DomainName[];
  readonly frontendUrl: HttpUrl;
  readonly redirectUrls: readonly HttpUrl[];
  readonly origins: readonly Origin[];
  /** Empty: the server's default sender. */
  readonly mailSenderAddress: string;
  /** Empty: the Site's name. */
  readonly mailSenderName: string;
  readonly selfRegistration: boolean;
  readonly publicCalls: boolean;
  readonly mfaPolicy: MfaPolicy;
  readonly passwordLengthMin: number;
  readonly lifetimes: Lifetimes;
  readonly signingAlgorithm: SigningAlgorithm;
  /** Empty: the issuer. */
  readonly defaultAudience: string;
  readonly locale: string;
  readonly deletionProtected: boolean;
  readonly linkPages: LinkPages;
  /** Empty: Signet's own. */
  readonly accentColor: Color | "";
}

/** A tenant with a user base of its own. */
export interface Site extends SiteSettings {
  readonly id: SiteId;
  readonly version: number;
  readonly createTime: Date;
  readonly updateTime: Date;
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly default: number;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What each lifetime may be; the defaults follow OWASP ASVS 5.0 where it names figures. */
export const LIFETIME_RANGES: Readonly<Record<keyof Lifetimes, Range>> = {
  accessTokenSeconds: { min: MINUTE, max: HOUR, default: 15 * MINUTE },
  sessionIdleSeconds: { min: 5 * MINUTE, max: 90 * DAY, default: 7 * DAY },
  sessionAbsoluteSeconds: { min: 5 * MINUTE, max: 400 * DAY, default: 90 * DAY },
  emailVerificationSeconds: { min: 5 * MINUTE, max: 30 * DAY, default: DAY },
  passwordResetSeconds: { min: 5 * MINUTE, max: DAY, default: HOUR },
  invitationSeconds: { min: HOUR, max: 90 * DAY, default: 7 * DAY },
  emailChangeSeconds: { min: 5 * MINUTE, max: DAY, default: HOUR },
  mfaChallengeSeconds: { min: MINUTE, max: 15 * MINUTE, default: 5 * MINUTE },
  recentLoginSeconds: { min: MINUTE, max: HOUR, default: 10 * MINUTE },
};

/** What the least length of a password may be, in code points. */
export const PASSWORD_LENGTH_MIN_RANGE: Range = { min: 8, max: 64, default: 15 };

/** Returns the issuer of a Site's access tokens, given the URL that Signet is reached at. */
export function issuerOf(publicUrl: string, siteId: SiteId): string {
  return `${publicUrl}/sites/${siteId}`;
}

/** The paths of the pages that Signet hosts, below the issuer of a Site. */
export const HOSTED_PATHS = {
  verify_email: "verify-email",
  reset_password: "reset-password",
  accept_invitation: "accept-invitation",
  change_email: "confirm-email-change",
} as const satisfies Readonly<Record<OneTimePurpose, string>>;

/**
 * Returns where the links of one kind lead, by the language of the mail: to the Site's own page,
 * or to the one that Signet hosts, which speaks that language.
 */
export function linkPageOf(
  { id, linkPages }: Pick<Site, "id" | "linkPages">,
  purpose: OneTimePurpose,
  publicUrl: string,
): (locale: string) => HttpUrl {
  const own = linkPages[purpose];
  if (own) return () => own;
  const page = `${issuerOf(publicUrl, id)}/${HOSTED_PATHS[purpose]}`;
  return (locale) => `${page}?${new URLSearchParams({ lang: locale })}` as HttpUrl;
}
