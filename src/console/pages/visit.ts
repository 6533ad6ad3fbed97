import type { Transport } from "@connectrpc/connect";
import type { PagePath } from "./kinds.ts";

/** A request for a page. */
export interface PageRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  /** What was sent from the page; undefined: the page itself is wanted. */
  readonly form: URLSearchParams | undefined;
  readonly headers: Headers;
  /** Empty: no socket is involved. */
  readonly clientAddress: string;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What a page is answered with. */
export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What pages show of a Site. */
export interface PageSite {
  readonly name: string;
  readonly locale: string;
  /** `#` and six hexadecimal digits; empty: Signet's own. */
  readonly accentColor: string;
  readonly passwordLengthMin: number;
  readonly frontendUrl: string;
  readonly redirectUrls: readonly string[];
  /** The pages that the Site's mails lead to; for the other links it has pages of its own. */
  readonly hosted: ReadonlySet<PagePath>;
}

/** What the pages stand on. */
export interface PagesOptions {
  /** Connects to Signet for the person who has sent a request. */
  readonly connect: (request: PageRequest) => Transport;
  /** Finds a Site by its id, which may be anything; undefined: there is none. */
  readonly findSite: (siteId: string) => Promise<PageSite | undefined>;
}
