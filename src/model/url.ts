import { domainToASCII, domainToUnicode } from "node:url";
import { type Failure, invalidField } from "./failure.ts";
import { LIMITS } from "./limits.ts";

declare const brand: unique symbol;

/** An absolute `https` URL (or `http` on this machine) in canonical form. */
export type HttpUrl = string & { readonly [brand]: "HttpUrl" };

/** The scheme, host and port of a web page, as browsers send them in `Origin`. */
export type Origin = string & { readonly [brand]: "Origin" };

/** A host name in lower-case ASCII form, without a port. */
export type DomainName = string & { readonly [brand]: "DomainName" };

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/; // URL lets a `*` through, and others.
const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * Reads an absolute URL of the web and returns its canonical form.
 *
 * `https` only, but `http` too for hosts of this machine, for development, or where
 * `plainAllowed`. No name or password in it, no fragment unless `fragmentAllowed`, at most 2,048
 * characters.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseHttpUrl(
  text: string,
  field: string,
  {
    fragmentAllowed = false,
    plainAllowed = false,
  }: { readonly fragmentAllowed?: boolean; readonly plainAllowed?: boolean } = {},
): HttpUrl {
  const url = parseUrl(text, field, plainAllowed);
  if (url.href.includes("#") && !fragmentAllowed) {
    throw invalidField(field, "must not have a fragment");
  }
  return url.href as HttpUrl;
}

/**
 * Reads an origin, such as `https://app.example.com`: a URL with nothing behind the port.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseOrigin(text: string, field: string): Origin {
  const url = parseUrl(text, field);
  if (url.href !== `${url.origin}/`) {
    throw invalidField(field, "must be an origin such as https://app.example.com");
  }
  return url.origin as Origin;
}

/**
 * Reads a host name, such as `app.example.com`, and returns its lower-case ASCII form.
 *
 * No scheme, port, path or IP address; of the names without a dot only `localhost`.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseDomain(text: string, field: string): DomainName {
  if (text === "") throw invalidField(field, "is required");
  const domain = canonicalDomain(text);
  if (domain === undefined || (!domain.includes(".") && domain !== "localhost")) {
    throw invalidField(field, "must be a host name such as app.example.com");
  }
  return domain;
}

/** Returns the lower-case ASCII form (IDNA) of a host name; undefined if it is not one. */
export function canonicalDomain(text: string): DomainName | undefined {
  if (text.length > LIMITS.domainLengthMax || hasUrlSyntax(text)) return undefined;
  const domain = domainToASCII(text);
  const labels = domain.split(".");
  if (domain.length > LIMITS.domainLengthMax || !labels.every((label) => LABEL.test(label))) {
    return undefined;
  }
  // A last label without a letter is an IPv4 address, or reads as one somewhere.
  if (!/[a-z]/.test(labels.at(-1) ?? "")) return undefined;
  return isRealIdna(domain, labels) ? (domain as DomainName) : undefined;
}

/** `domainToASCII` reads a host as URLs do: it would cut paths off and decode percent signs. */
function hasUrlSyntax(text: string): boolean {
  return !/^(?:[A-Za-z0-9.-]|\P{ASCII})+$/u.test(text);
}

/** `domainToASCII` lets malformed punycode through; only the real thing survives the way back. */
function isRealIdna(domain: string, labels: readonly string[]): boolean {
  if (!labels.some((label) => label.startsWith("xn--"))) return true;
  const unicode = domainToUnicode(domain);
  return (
    !unicode.split(".").some((label) => label.startsWith("xn--")) &&
    domainToASCII(unicode) === domain
  );
}

function parseUrl(text: string, field: string, plainAllowed = false): URL {
  if (text === "") throw invalidField(field, "is required");
  if (text.length > LIMITS.urlLengthMax) throw urlTooLong(field);
  // URL drops line breaks and reads a backslash as a slash; nobody means that.
  const url = /[\s\p{Cc}\\]/u.test(text) || !text.isWellFormed() ? null : URL.parse(text);
  if (!url || !HOST.test(url.hostname)) throw invalidField(field, "must be an absolute URL");
  if (url.href.length > LIMITS.urlLengthMax) throw urlTooLong(field);
  if (url.username !== "" || url.password !== "") {
    throw invalidField(field, "must not have a user name or password");
  }
  const secure = url.protocol === "https:";
  const mayBePlain = plainAllowed || LOOPBACK.test(url.hostname);
  if (!secure && !(url.protocol === "http:" && mayBePlain)) {
    throw invalidField(field, "must begin with https://");
  }
  return url;
}

function urlTooLong(field: string): Failure {
  return invalidField(field, `must have at most ${LIMITS.urlLengthMax} characters`);
}
