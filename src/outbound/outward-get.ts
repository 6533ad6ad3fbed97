import { lookup as resolve } from "node:dns";
import { get as httpGet, type IncomingMessage, type RequestOptions } from "node:http";
import { get as httpsGet } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { isPublicAddress } from "./private-address.ts";
import { tracedRequest } from "./traced-request.ts";

/** How an outward call is made. */
export interface OutwardOptions {
  /** Hosts of one's own: they may have private addresses, and be called without TLS. */
  readonly internalHosts: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** For all of it: names, connection, answer. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

/** An outward call did not bring what was asked for. The message may be logged. */
export class OutwardError extends Error {
  constructor(problem: string, options?: ErrorOptions) {
    super(problem, options);
    this.name = "OutwardError";
  }
}

/** The address is one that is not called: a private one, or without TLS. */
export class AddressRefusedError extends OutwardError {
  constructor(problem: string) {
    super(problem);
    this.name = "AddressRefusedError";
  }
}

/**
 * Checks where a call is to go, and returns how to get there and nowhere else: the name is resolved
 * once, and the connection goes to the address that was checked.
 *
 * @throws {AddressRefusedError} for what can be told without a look-up of the name.
 */
export function routeTo(
  url: URL,
  internalHosts: readonly string[],
): Pick<RequestOptions, "agent" | "lookup"> {
  const host = hostOf(url);
  const isInternal = internalHosts.includes(host);
  if (url.protocol !== "https:" && !(isInternal && url.protocol === "http:")) {
    throw new AddressRefusedError("only https is called");
  }
  if (isIP(host) !== 0 && !isInternal && !isPublicAddress(host)) throw privateAddress();
  return { agent: false, ...(!isInternal && { lookup: lookupPublic }) };
}

/** The host of a URL as it stands in a list of hosts: in lower case, IPv6 without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1");
}

/**
 * Fetches a text from elsewhere.
 *
 * The name is resolved once, and the connection goes to the address that was checked: never to a
 * private one, unless the host is one's own. Redirects are not followed, since where they lead was
 * checked by nobody.
 *
 * @throws {OutwardError} for whatever else than an answer 200 of at most `bytesMax` in time.
 */
export async function fetchText(url: URL, options: OutwardOptions): Promise<string> {
  const route = routeTo(url, options.internalHosts);
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    return await tracedRequest("GET", url, async () => {
      const answer = await open(url, {
        headers: { ...options.headers },
        signal,
        ...route,
      });
      return await readText(answer, options.bytesMax);
    });
  } catch (error) {
    if (error instanceof OutwardError) throw error;
    throw new OutwardError(signal.aborted ? "no answer in time" : "no answer", { cause: error });
  }
}

function open(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const get = url.protocol === "https:" ? httpsGet : httpGet;
  return new Promise((resolveAnswer, reject) => {
    get(url, options, resolveAnswer).on("error", reject);
  });
}

/** Resolves a name, and lets the connection have nothing but public addresses. */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, "", 0);
    const [first] = addresses;
    if (!first || !addresses.every(({ address }) => isPublicAddress(address))) {
      return callback(privateAddress(), "", 0);
    }
    if (options.all) return callback(null, addresses);
    return callback(null, first.address, first.family);
  });
};

async function readText(answer: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    if (answer.statusCode !== 200) throw new OutwardError(`status ${answer.statusCode}`);
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw new OutwardError(`more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } finally {
    answer.destroy();
  }
}

function privateAddress(): AddressRefusedError {
  return new AddressRefusedError("the host has a private address");
}
