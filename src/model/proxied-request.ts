import type { SiteId, UserId } from "./id.ts";

/** A request that a proxy asks about before it passes it on, as far as the answer needs it. */
export interface ProxiedRequest {
  /** The values of its `authorization` headers; more than one is more than anybody may send. */
  readonly authorizations: readonly string[];
  /** Its `cookie` header, as RFC 6265 §4.2.1 has it; empty: none. */
  readonly cookies: string;
  readonly method: string;
  /** Its `accept` header; empty: none. */
  readonly accept: string;
  /** Where it was going, as the proxy tells; each part may be empty, and none is to be believed. */
  readonly target: ProxiedTarget;
}

/** The parts of the URL of a proxied request. */
export interface ProxiedTarget {
  readonly scheme: string;
  readonly host: string;
  /** The path and the query. */
  readonly path: string;
}

/** What a route asks of whoever wants to pass. */
export interface RouteRequirements {
  /** The User must have one role of each list. */
  readonly roles: readonly (readonly string[])[];
  /** The User's Site must be in each list. */
  readonly siteIds: readonly (readonly SiteId[])[];
  /** Whom the token must be for; empty: the Site's default audience, or else its issuer. */
  readonly audience: string;
  /** Whether a browser without a good token is sent to the login page. */
  readonly redirects: boolean;
}

/** Whose request it is. */
export interface Identity {
  readonly userId: UserId;
  readonly siteId: SiteId;
  /** The verified address of the User; empty: there is none. */
  readonly email: string;
  readonly roles: readonly string[];
  /** The same as a short-lived signed token; empty: it is switched off. */
  readonly token: string;
}

/** What becomes of a proxied request. */
export type ProxyVerdict =
  | { readonly kind: "passed"; readonly identity: Identity }
  | {
      readonly kind: "unknown";
      /** Whether it came with a token or key, which then is not good. */
      readonly hasCredential: boolean;
      /** Where a browser goes to sign in; absent: this one is not sent anywhere. */
      readonly loginUrl: string | undefined;
    }
  | { readonly kind: "denied" };
