import type { IncomingHttpHeaders } from "node:http";

/** Presents the headers of a request as those of the web, without HTTP/2's pseudo-headers. */
export function toWebHeaders(fields: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one);
  }
  return headers;
}
