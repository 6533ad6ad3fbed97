import { createContextKey } from "@connectrpc/connect";

/**
 * Set for calls that the pages make which Signet hosts: with the token of a mail of its own, or
 * for such a mail. They may make public calls of Sites that let no others do so.
 */
export const hostedPageKey = createContextKey(false, {
  description: "whether a page that Signet hosts makes the call",
});
