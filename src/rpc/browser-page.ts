import { type ContextValues, createContextKey } from "@connectrpc/connect";
import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { Site } from "../model/site.ts";

/** The web page from which a browser calls. */
export interface BrowserPage {
  /** As the browser has sent it: no page can name another one's. */
  readonly origin: string;
  /** Whether the page may read the answer; undefined: the call did not come so far. */
  mayRead: boolean | undefined;
}

/** Where the server leaves the page, and learns whether it may read the answer. */
export const browserPageKey = createContextKey<BrowserPage | undefined>(undefined, {
  description: "the web page that calls; undefined: no browser calls from another origin",
});

/**
 * Lets pages call a Site without a credential only from the Site's own origins: visitors of other
 * pages would make guesses for somebody else, each from an address of its own. What a User does
 * with its access token is no page's doing, so the call goes on and only its answer is withheld.
 *
 * @throws {Failure} `access_denied`
 */
export function checkPage(
  values: ContextValues,
  site: Site | undefined,
  { caller, byPublic, ownOrigin }: PageCall,
): void {
  const page = values.get(browserPageKey);
  if (!page || page.origin === ownOrigin) return;
  // An RPC that anyone may call names no Site: the page is of one that has public calls, or not.
  if (caller.kind === "anonymous" && !site) return;
  const origins: readonly string[] = site?.origins ?? [];
  page.mayRead = site?.publicCalls === true && origins.includes(page.origin);
  if (byPublic && !page.mayRead) throw new Failure("access_denied");
}

/** What is known of a call that a page may have made. */
export interface PageCall {
  readonly caller: Caller;
  /** Whether the call is admitted only because the Site has public calls. */
  readonly byPublic: boolean;
  /** That of Signet's own pages. */
  readonly ownOrigin: string;
}
