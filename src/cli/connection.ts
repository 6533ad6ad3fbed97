import { createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type GetSiteByDomainResponse, SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { createSignetClient, type SignetClient } from "../client/index.ts";
import { type Context, UsageError } from "./context.ts";

/** Where a Signet listens unless it is told otherwise. */
export const DEFAULT_URL = "http://127.0.0.1:5678";

const TIMEOUT_MS = 10_000;

/**
 * Calls the Signet that the environment names, with its key.
 *
 * @throws {UsageError} if a variable is missing or malformed.
 */
export async function withClient<T>(
  context: Context,
  work: (client: SignetClient) => Promise<T>,
): Promise<T> {
  const url = urlOf(context);
  const key = context.environment.SIGNET_KEY ?? "";
  if (key === "") {
    throw new UsageError(
      "SIGNET_KEY is not set: put an operator key or a site key there, or keep it by " +
        "`signet profile add`; a Signet with a database of its own has its key in " +
        ".signet/operator-key",
    );
  }
  const client = createSignetClient({ url, key });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Calls what anybody may call, with no key at all: a bad one would be refused even there. */
export async function getSiteByDomain(
  context: Context,
  domain: string,
): Promise<GetSiteByDomainResponse> {
  const sessionManager = new Http2SessionManager(urlOf(context));
  const transport = createConnectTransport({
    baseUrl: urlOf(context),
    httpVersion: "2",
    sessionManager,
    defaultTimeoutMs: TIMEOUT_MS,
  });
  try {
    return await createClient(SiteService, transport).getSiteByDomain({ domain });
  } finally {
    sessionManager.abort();
  }
}

/**
 * Returns where the environment says that Signet is.
 *
 * @throws {UsageError} where that is no such URL.
 */
export function urlOf({ environment }: Context): string {
  return requireUrl(environment.SIGNET_URL || DEFAULT_URL, "SIGNET_URL");
}

/**
 * Returns the URL, if a Signet can be there.
 *
 * @throws {UsageError} naming the option or variable that it stands in.
 */
export function requireUrl(url: string, name: string): string {
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? "")) return url;
  throw new UsageError(`${name} must be an http:// or https:// URL`);
}

/** Tells whether a key that is sent there could be read on the way. */
export function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return (
    protocol === "http:" && !/^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
  );
}
