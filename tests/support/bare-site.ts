import { newId, type SiteId } from "../../src/model/id.ts";
import { LIFETIME_RANGES, type Lifetimes } from "../../src/model/site.ts";
import { parseHttpUrl } from "../../src/model/url.ts";
import type { Database } from "../../src/store/database.ts";
import { insertSite } from "../../src/store/sites.ts";

/** Inserts a Site without keys and domains, for what stands below the service. */
export async function createBareSite(db: Database): Promise<SiteId> {
  const siteId = newId<SiteId>();
  const settings = {
    name: "Bare",
    domains: [],
    frontendUrl: parseHttpUrl("https://bare.example.com", "frontend_url"),
    redirectUrls: [],
    origins: [],
    mailSenderAddress: "",
    mailSenderName: "",
    selfRegistration: false,
    publicCalls: false,
    mfaPolicy: "off",
    passwordLengthMin: 15,
    lifetimes: defaultLifetimes(),
    signingAlgorithm: "ES256",
    defaultAudience: "",
    locale: "en",
    deletionProtected: false,
    linkPages: { verify_email: "", reset_password: "", accept_invitation: "", change_email: "" },
    accentColor: "",
  } as const;
  await db.inSite(siteId, (tx) => insertSite(tx, siteId, settings, new Date()));
  return siteId;
}

function defaultLifetimes(): Lifetimes {
  const defaults = Object.entries(LIFETIME_RANGES).map(([name, range]) => [name, range.default]);
  return Object.fromEntries(defaults) as Record<keyof Lifetimes, number>;
}
