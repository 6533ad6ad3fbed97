import type { Color } from "../model/color.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { MfaPolicy, SigningAlgorithm, Site, SiteSettings } from "../model/site.ts";
import type { DomainName, HttpUrl, Origin } from "../model/url.ts";
import { constraintOf } from "./postgres-errors.ts";
import { fragment, type Queryable, sql } from "./sql.ts";

/** A row of `sites` with its domains. */
export interface SiteRow {
  readonly id: SiteId;
  readonly version: number;
  readonly name: string;
  readonly domains: DomainName[];
  readonly frontend_url: HttpUrl;
  readonly redirect_urls: HttpUrl[];
  readonly origins: Origin[];
  readonly mail_sender_address: string;
  readonly mail_sender_name: string;
  readonly self_registration: boolean;
  readonly public_calls: boolean;
  readonly mfa_policy: MfaPolicy;
  readonly password_length_min: number;
  readonly access_token_seconds: number;
  readonly session_idle_seconds: number;
  readonly session_absolute_seconds: number;
  readonly email_verification_seconds: number;
  readonly password_reset_seconds: number;
  readonly invitation_seconds: number;
  readonly email_change_seconds: number;
  readonly mfa_challenge_seconds: number;
  readonly recent_login_seconds: number;
  readonly signing_algorithm: SigningAlgorithm;
  readonly default_audience: string;
  readonly locale: string;
  readonly deletion_protected: boolean;
  readonly verify_email_url: HttpUrl | "";
  readonly reset_password_url: HttpUrl | "";
  readonly accept_invitation_url: HttpUrl | "";
  readonly confirm_email_change_url: HttpUrl | "";
  readonly accent_color: Color | "";
  readonly create_time: Date;
  readonly update_time: Date;
}

/** What {@link toSite} reads of a row of `sites`, besides its domains. */
export const SITE_COLUMNS = fragment`
  id, version, name, frontend_url, redirect_urls, origins, mail_sender_address, mail_sender_name,
  self_registration, public_calls, mfa_policy, password_length_min, access_token_seconds,
  session_idle_seconds, session_absolute_seconds, email_verification_seconds,
  password_reset_seconds, invitation_seconds, email_change_seconds, mfa_challenge_seconds,
  recent_login_seconds, signing_algorithm, default_audience, locale, deletion_protected,
  verify_email_url, reset_password_url, accept_invitation_url, confirm_email_change_url,
  accent_color, create_time, update_time`;

/** Finds a Site that is not deleted. */
export async function findSite(db: Queryable, siteId: SiteId): Promise<Site | undefined> {
  const { rows } = await db.query<SiteRow>(sql`
    select ${SITE_COLUMNS},
           array(select domain from signet.site_domains d
                  where d.site_id = ${siteId} order by ordinal) as domains
      from signet.sites
     where id = ${siteId} and delete_time is null`);
  return rows[0] && toSite(rows[0]);
}

/** Finds a Site that is not deleted, and locks it: its settings, and whether it exists. */
export async function lockSite(db: Queryable, siteId: SiteId): Promise<Site | undefined> {
  const { rowCount } = await db.query(sql`
    select from signet.sites where id = ${siteId} and delete_time is null for no key update`);
  // In a statement of its own: domains that an earlier holder of the lock has set are seen.
  return rowCount === 1 ? await findSite(db, siteId) : undefined;
}

/** Returns the id of the Site that a domain leads to. Needs no Site. */
export async function findSiteIdOfDomain(
  db: Queryable,
  domain: DomainName,
): Promise<SiteId | undefined> {
  const { rows } = await db.query<{ id: SiteId | null }>(sql`
    select signet.site_id_of_domain(${domain}) as id`);
  return rows[0]?.id ?? undefined;
}

/** Tells whether some Site has public calls and names an origin. Needs no Site. */
export async function isPublicOrigin(db: Queryable, origin: string): Promise<boolean> {
  const { rows } = await db.query<{ known: boolean }>(sql`
    select signet.is_public_origin(${origin}) as known`);
  return rows[0]?.known === true;
}

/**
 * Inserts a Site. Returns false if the id exists already.
 *
 * @throws {Failure} `domain_taken`.
 */
export async function insertSite(
  db: Queryable,
  siteId: SiteId,
  settings: SiteSettings,
  now: Date,
): Promise<boolean> {
  const { lifetimes, linkPages } = settings;
  const { rowCount } = await db.query(sql`
    insert into signet.sites
           (id, name, frontend_url, redirect_urls, origins, mail_sender_address,
            mail_sender_name, self_registration, public_calls, mfa_policy, password_length_min,
            access_token_seconds, session_idle_seconds, session_absolute_seconds,
            email_verification_seconds, password_reset_seconds, invitation_seconds,
            email_change_seconds, mfa_challenge_seconds, recent_login_seconds,
            signing_algorithm, default_audience, locale, deletion_protected,
            verify_email_url, reset_password_url, accept_invitation_url,
            confirm_email_change_url, accent_color, create_time, update_time)
    values (${siteId}, ${settings.name}, ${settings.frontendUrl}, ${settings.redirectUrls},
            ${settings.origins}, ${settings.mailSenderAddress}, ${settings.mailSenderName},
            ${settings.selfRegistration}, ${settings.publicCalls}, ${settings.mfaPolicy},
            ${settings.passwordLengthMin}, ${lifetimes.accessTokenSeconds},
            ${lifetimes.sessionIdleSeconds}, ${lifetimes.sessionAbsoluteSeconds},
            ${lifetimes.emailVerificationSeconds}, ${lifetimes.passwordResetSeconds},
            ${lifetimes.invitationSeconds}, ${lifetimes.emailChangeSeconds},
            ${lifetimes.mfaChallengeSeconds}, ${lifetimes.recentLoginSeconds},
            ${settings.signingAlgorithm}, ${settings.defaultAudience}, ${settings.locale},
            ${settings.deletionProtected}, ${linkPages.verify_email}, ${linkPages.reset_password},
            ${linkPages.accept_invitation}, ${linkPages.change_email}, ${settings.accentColor},
            ${now}, ${now})
        on conflict (id) do nothing`);
  if (rowCount === 0) return false;
  await insertDomains(db, siteId, settings.domains);
  return true;
}

/**
 * Replaces the settings of a Site that the transaction has locked.
 *
 * @throws {Failure} `domain_taken`.
 */
export async function updateSite(db: Queryable, site: Site): Promise<void> {
  const { lifetimes, linkPages } = site;
  await db.query(sql`
    update signet.sites
       set version = ${site.version}, name = ${site.name}, frontend_url = ${site.frontendUrl},
           redirect_urls = ${site.redirectUrls}, origins = ${site.origins},
           mail_sender_address = ${site.mailSenderAddress},
           mail_sender_name = ${site.mailSenderName},
           self_registration = ${site.selfRegistration}, public_calls = ${site.publicCalls},
           mfa_policy = ${site.mfaPolicy}, password_length_min = ${site.passwordLengthMin},
           access_token_seconds = ${lifetimes.accessTokenSeconds},
           session_idle_seconds = ${lifetimes.sessionIdleSeconds},
           session_absolute_seconds = ${lifetimes.sessionAbsoluteSeconds},
           email_verification_seconds = ${lifetimes.emailVerificationSeconds},
           password_reset_seconds = ${lifetimes.passwordResetSeconds},
           invitation_seconds = ${lifetimes.invitationSeconds},
           email_change_seconds = ${lifetimes.emailChangeSeconds},
           mfa_challenge_seconds = ${lifetimes.mfaChallengeSeconds},
           recent_login_seconds = ${lifetimes.recentLoginSeconds},
           signing_algorithm = ${site.signingAlgorithm},
           default_audience = ${site.defaultAudience}, locale = ${site.locale},
           deletion_protected = ${site.deletionProtected},
           verify_email_url = ${linkPages.verify_email},
           reset_password_url = ${linkPages.reset_password},
           accept_invitation_url = ${linkPages.accept_invitation},
           confirm_email_change_url = ${linkPages.change_email},
           accent_color = ${site.accentColor}, update_time = ${site.updateTime}
     where id = ${site.id}`);
  await deleteDomains(db, site.id);
  await insertDomains(db, site.id, site.domains);
}

/** Frees the domains of a Site. */
export async function deleteDomains(db: Queryable, siteId: SiteId): Promise<void> {
  await db.query(sql`delete from signet.site_domains where site_id = ${siteId}`);
}

async function insertDomains(
  db: Queryable,
  siteId: SiteId,
  domains: readonly DomainName[],
): Promise<void> {
  for (const [ordinal, domain] of domains.entries()) {
    try {
      await db.query(sql`
        insert into signet.site_domains (domain, site_id, ordinal)
        values (${domain}, ${siteId}, ${ordinal})`);
    } catch (error) {
      if (constraintOf(error) !== "site_domains_pkey") throw error;
      throw new Failure("domain_taken", { domain });
    }
  }
}

/** Makes a Site of its row. */
export function toSite(row: SiteRow): Site {
  return {
    id: row.id,
    version: row.version,
    name: row.name,
    domains: row.domains,
    frontendUrl: row.frontend_url,
    redirectUrls: row.redirect_urls,
    origins: row.origins,
    mailSenderAddress: row.mail_sender_address,
    mailSenderName: row.mail_sender_name,
    selfRegistration: row.self_registration,
    publicCalls: row.public_calls,
    mfaPolicy: row.mfa_policy,
    passwordLengthMin: row.password_length_min,
    lifetimes: {
      accessTokenSeconds: row.access_token_seconds,
      sessionIdleSeconds: row.session_idle_seconds,
      sessionAbsoluteSeconds: row.session_absolute_seconds,
      emailVerificationSeconds: row.email_verification_seconds,
      passwordResetSeconds: row.password_reset_seconds,
      invitationSeconds: row.invitation_seconds,
      emailChangeSeconds: row.email_change_seconds,
      mfaChallengeSeconds: row.mfa_challenge_seconds,
      recentLoginSeconds: row.recent_login_seconds,
    },
    signingAlgorithm: row.signing_algorithm,
    defaultAudience: row.default_audience,
    locale: row.locale,
    deletionProtected: row.deletion_protected,
    linkPages: {
      verify_email: row.verify_email_url,
      reset_password: row.reset_password_url,
      accept_invitation: row.accept_invitation_url,
      change_email: row.confirm_email_change_url,
    },
    accentColor: row.accent_color,
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}
