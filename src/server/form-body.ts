import { ConnectError } from "@connectrpc/connect";
import type { EdgeLimits } from "./edge-limits.ts";
import { type EndpointAnswer, refusal } from "./http-endpoints.ts";
import { readBody } from "./request-body.ts";
import type { NodeRequest } from "./request-target.ts";

type Bounds = Pick<EdgeLimits, "formBytesMax" | "callTimeoutMsMax" | "requestStreamIdleMsMax">;

/** No two runs of spaces next to each other: a header full of them would take quadratic time. */
const FORM = /^application\/x-www-form-urlencoded *(?:; *charset="?utf-8"? *)?$/i;

/**
 * Reads what a form has sent, in bounded time and memory. Returns the answer instead where it is
 * no form, is too large, does not arrive, or names a field twice, which no page of ours does.
 */
export async function readForm(
  request: NodeRequest,
  bounds: Bounds,
): Promise<URLSearchParams | EndpointAnswer> {
  const { headers } = request;
  if (!FORM.test(headers["content-type"] ?? "") || headers["content-encoding"] !== undefined) {
    return refusal(415, "unsupported_media_type");
  }
  if (Number(headers["content-length"] ?? 0) > bounds.formBytesMax) return tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of readBody(request, "unary", bounds)) {
      bytes += chunk.length;
      if (bytes > bounds.formBytesMax) return tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    return refusal(408, "request_timeout");
  }
  const form = new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
  const names = [...form.keys()];
  return new Set(names).size === names.length ? form : refusal(400, "malformed_form");
}

function tooLarge(): EndpointAnswer {
  return refusal(413, "content_too_large");
}
