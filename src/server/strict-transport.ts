/** Has browsers come to a host by https alone (RFC 6797); empty: nothing is said of that. */
export interface StrictTransport {
  readonly "strict-transport-security"?: string;
}

/** What is said where others than those who come to Signet's own host may read the answer. */
export const NOTHING_STRICT: StrictTransport = {};

const HOST_ALONE: StrictTransport = { "strict-transport-security": "max-age=31536000" };
const WITH_SUBDOMAINS: StrictTransport = {
  "strict-transport-security": "max-age=31536000; includeSubDomains",
};

/** What a service that has a certificate, or a proxy that has one, needs to be known by. */
export interface TransportConfig {
  readonly tls?: object | undefined;
  readonly publicUrl?: string;
  readonly hstsSubdomains?: boolean;
}

/** Tells for a year of this host where people come by https, and of those below it if asked to. */
export function strictTransportOf({
  tls,
  publicUrl = "",
  hstsSubdomains = false,
}: TransportConfig): StrictTransport {
  if (tls === undefined && !publicUrl.startsWith("https://")) return NOTHING_STRICT;
  return hstsSubdomains ? WITH_SUBDOMAINS : HOST_ALONE;
}
