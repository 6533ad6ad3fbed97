import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MfaPolicy, SigningAlgorithm, Site } from "../../../gen/signet/v1/site_pb.ts";
import type { UpdateSiteRequestSchema } from "../../../gen/signet/v1/site_service_pb.ts";

/** The names of the lifetimes, as in the proto. */
export const LIFETIMES = [
  "accessTokenSeconds",
  "sessionIdleSeconds",
  "sessionAbsoluteSeconds",
  "emailVerificationSeconds",
  "passwordResetSeconds",
  "invitationSeconds",
  "emailChangeSeconds",
  "mfaChallengeSeconds",
  "recentLoginSeconds",
] as const;

/** The names of the addresses where links in mails may lead, as in the proto. */
export const LINK_PAGES = [
  "verifyEmailUrl",
  "resetPasswordUrl",
  "acceptInvitationUrl",
  "confirmEmailChangeUrl",
] as const;

/** The Site's own pages for the links in mails; empty: those that Signet hosts. */
export type LinkPageSettings = Readonly<Record<(typeof LINK_PAGES)[number], string>>;

/** How long the things of a Site live, in seconds. */
export type LifetimeSettings = Readonly<Record<(typeof LIFETIMES)[number], number>>;

/** What can be set about a Site. */
export interface Settings {
  readonly name: string;
  readonly frontendUrl: string;
  readonly redirectUrls: readonly string[];
  readonly origins: readonly string[];
  readonly selfRegistration: boolean;
  readonly publicCalls: boolean;
  readonly mfaPolicy: MfaPolicy;
  readonly passwordLengthMin: number;
  readonly lifetimes: LifetimeSettings;
  readonly signingAlgorithm: SigningAlgorithm;
  readonly defaultAudience: string;
  readonly locale: string;
  readonly domains: readonly string[];
  readonly mailSender: { readonly address: string; readonly name: string };
  readonly deletionProtected: boolean;
  readonly linkPages: LinkPageSettings;
  readonly accentColor: string;
}

/** What each part of the form is given. */
export interface FieldsProps {
  readonly settings: Settings;
  readonly onChange: (change: Partial<Settings>) => void;
}

/** Reads the settings of a Site. */
export function settingsOf(site: Site): Settings {
  const pages = LINK_PAGES.map((name) => [name, site.linkPages?.[name] ?? ""] as const);
  const seconds = LIFETIMES.map((name) => [name, site.lifetimes?.[name] ?? 0] as const);
  return {
    name: site.name,
    frontendUrl: site.frontendUrl,
    redirectUrls: site.redirectUrls,
    origins: site.origins,
    selfRegistration: site.selfRegistration,
    publicCalls: site.publicCalls,
    mfaPolicy: site.mfaPolicy,
    passwordLengthMin: site.passwordLengthMin,
    lifetimes: Object.fromEntries(seconds) as LifetimeSettings,
    signingAlgorithm: site.signingAlgorithm,
    defaultAudience: site.defaultAudience === site.issuer ? "" : site.defaultAudience,
    locale: site.locale,
    domains: site.domains,
    mailSender: { address: site.mailSender?.address ?? "", name: site.mailSender?.name ?? "" },
    deletionProtected: site.deletionProtected,
    linkPages: Object.fromEntries(pages) as LinkPageSettings,
    accentColor: site.accentColor,
  };
}

/** Makes the request that changes what differs, and refuses to undo somebody else's change. */
export function updateOf(
  site: Site,
  before: Settings,
  after: Settings,
): MessageInitShape<typeof UpdateSiteRequestSchema> {
  const names = Object.keys(after) as (keyof Settings)[];
  const changed = names.filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const fields = changed.map((name) => [name, onWire(name, after[name])] as const);
  return { siteId: site.id, expectedVersion: site.version, ...Object.fromEntries(fields) };
}

/** Lists stand in a message of their own, so that an empty one differs from none. */
function onWire(name: keyof Settings, value: unknown): unknown {
  const isList = name === "domains" || name === "redirectUrls" || name === "origins";
  return isList ? { [name]: value } : value;
}
