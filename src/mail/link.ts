import type { Secret } from "../model/secret.ts";
import type { HttpUrl } from "../model/url.ts";

/**
 * Builds the link of a mail: the URL of the page that takes the token, which is its parameter
 * `token`. Nothing of a request goes into it, so no caller can lead a User astray.
 */
export function oneTimeLink(pageUrl: HttpUrl, token: Secret): string {
  const url = new URL(pageUrl);
  url.searchParams.set("token", token.reveal());
  return url.href;
}
