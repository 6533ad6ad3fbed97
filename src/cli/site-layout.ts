import type { Lifetimes, LinkPages, PublicSite, Site } from "../../gen/signet/v1/site_pb.ts";
import type { ListSitesResponse } from "../../gen/signet/v1/site_service_pb.ts";
import { type Field, layOutFields, layOutTable, withMore } from "./layout.ts";
import { LIFETIME_FIELDS, MFA_POLICIES, SIGNING_ALGORITHMS } from "./site-options.ts";
import { listText, timeText, yesOrNo } from "./values.ts";

/** Where a Site has no page of its own. */
const HOSTED = "hosted by Signet";

/** Lays out all settings of a Site. */
export function layOutSite({ site }: { readonly site?: Site | undefined }): string {
  if (!site) return "";
  return layOutFields([
    ["Site", site.id],
    ["Name", site.name],
    ["Version", String(site.version)],
    ["Front end", site.frontendUrl],
    ["Domains", listText(site.domains)],
    ["Redirects", listText(site.redirectUrls)],
    ["Origins", listText(site.origins)],
    ["Issuer", site.issuer],
    ["Default audience", site.defaultAudience],
    ["Mail sender", senderText(site.mailSender)],
    ["Self-registration", yesOrNo(site.selfRegistration)],
    ["Public calls", yesOrNo(site.publicCalls)],
    ["Second factor", MFA_POLICIES.wordOf(site.mfaPolicy)],
    ["Password length", `${site.passwordLengthMin} or more`],
    ["Signing algorithm", SIGNING_ALGORITHMS.wordOf(site.signingAlgorithm)],
    ...lifetimeFields(site.lifetimes),
    ["Locale", site.locale],
    ["Accent colour", site.accentColor],
    ...linkPageFields(site.linkPages),
    ["Deletion protected", yesOrNo(site.deletionProtected)],
    ["Created", timeText(site.createTime)],
    ["Updated", timeText(site.updateTime)],
  ]);
}

/** Lays out a table of Sites, and says how to see more where there are more. */
export function layOutSites({ sites, nextPageToken }: ListSitesResponse): string {
  if (sites.length === 0) return "There are no such Sites.";
  const table = layOutTable(
    ["id", "name", "domains", "front end", "created"],
    sites.map(({ id, name, domains, frontendUrl, createTime }) => [
      id,
      name,
      listText(domains),
      frontendUrl,
      timeText(createTime),
    ]),
  );
  return withMore(table, nextPageToken);
}

/** Lays out what anybody may know of a Site. */
export function layOutPublicSite({ site }: { readonly site?: PublicSite | undefined }): string {
  if (!site) return "";
  return layOutFields([
    ["Site", site.id],
    ["Name", site.name],
    ["Front end", site.frontendUrl],
    ["Issuer", site.issuer],
    ["Self-registration", yesOrNo(site.selfRegistration)],
    ["Public calls", yesOrNo(site.publicCalls)],
    ["Password length", `${site.passwordLengthMin} or more`],
    ["Locale", site.locale],
  ]);
}

function senderText(sender: Site["mailSender"]): string {
  if (!sender?.address) return sender?.name ?? "";
  return sender.name ? `${sender.name} <${sender.address}>` : sender.address;
}

function linkPageFields(pages: LinkPages | undefined): Field[] {
  return [
    ["Page verify-email", pages?.verifyEmailUrl || HOSTED],
    ["Page reset-password", pages?.resetPasswordUrl || HOSTED],
    ["Page accept-invitation", pages?.acceptInvitationUrl || HOSTED],
    ["Page confirm-email-change", pages?.confirmEmailChangeUrl || HOSTED],
  ];
}

function lifetimeFields(lifetimes: Lifetimes | undefined): Field[] {
  if (!lifetimes) return [];
  return [...LIFETIME_FIELDS].map(([name, field]) => [`Lifetime ${name}`, `${lifetimes[field]} s`]);
}
