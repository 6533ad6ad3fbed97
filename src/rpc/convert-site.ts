import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { CreateSiteRequest, UpdateSiteRequest } from "../../gen/signet/v1/site_service_pb.ts";
import { issuerOf, type LinkPages, type Site, type SiteSettings } from "../model/site.ts";
import { ALGORITHM, MFA_POLICY, PARSE } from "./site-fields.ts";

/** Reads the settings of a new Site, defaults filled in. @throws {Failure} `invalid_field` */
export function parseSiteSettings(request: CreateSiteRequest): SiteSettings {
  return {
    name: PARSE.name(request.name),
    domains: PARSE.domains(request.domains),
    frontendUrl: PARSE.frontendUrl(request.frontendUrl),
    redirectUrls: PARSE.redirectUrls(request.redirectUrls),
    origins: PARSE.origins(request.origins),
    ...PARSE.mailSender(request.mailSender),
    selfRegistration: request.selfRegistration ?? true,
    publicCalls: request.publicCalls,
    mfaPolicy: PARSE.mfaPolicy(request.mfaPolicy),
    passwordLengthMin: PARSE.passwordLengthMin(request.passwordLengthMin),
    lifetimes: PARSE.lifetimes(request.lifetimes),
    signingAlgorithm: PARSE.signingAlgorithm(request.signingAlgorithm),
    defaultAudience: PARSE.defaultAudience(request.defaultAudience),
    locale: PARSE.locale(request.locale),
    deletionProtected: request.deletionProtected,
    linkPages: PARSE.linkPages(request.linkPages),
    accentColor: PARSE.accentColor(request.accentColor),
  };
}

/** Reads the settings that an update names, and no other. @throws {Failure} `invalid_field` */
export function parseSiteChanges(request: UpdateSiteRequest): Partial<SiteSettings> {
  const { mailSender } = request;
  const changes = {
    name: given(request.name, PARSE.name),
    domains: given(request.domains?.domains, PARSE.domains),
    frontendUrl: given(request.frontendUrl, PARSE.frontendUrl),
    redirectUrls: given(request.redirectUrls?.redirectUrls, PARSE.redirectUrls),
    origins: given(request.origins?.origins, PARSE.origins),
    ...(mailSender && PARSE.mailSender(mailSender)),
    selfRegistration: request.selfRegistration,
    publicCalls: request.publicCalls,
    mfaPolicy: given(request.mfaPolicy, PARSE.mfaPolicy),
    passwordLengthMin: given(request.passwordLengthMin, PARSE.passwordLengthMin),
    lifetimes: given(request.lifetimes, PARSE.lifetimes),
    signingAlgorithm: given(request.signingAlgorithm, PARSE.signingAlgorithm),
    defaultAudience: given(request.defaultAudience, PARSE.defaultAudience),
    locale: given(request.locale, PARSE.locale),
    deletionProtected: request.deletionProtected,
    linkPages: given(request.linkPages, PARSE.linkPages),
    accentColor: given(request.accentColor, PARSE.accentColor),
  };
  const present = Object.entries(changes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Partial<SiteSettings>;
}

function given<Value, Parsed>(
  value: Value | undefined,
  parse: (value: Value) => Parsed,
): Parsed | undefined {
  return value === undefined ? undefined : parse(value);
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
    linkPages: toLinkPagesMessage(site.linkPages),
    accentColor: site.accentColor,
  };
}

function toLinkPagesMessage(pages: LinkPages) {
  return {
    verifyEmailUrl: pages.verify_email,
    resetPasswordUrl: pages.reset_password,
    acceptInvitationUrl: pages.accept_invitation,
    confirmEmailChangeUrl: pages.change_email,
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
