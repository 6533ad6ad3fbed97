import type { NodeResponse } from "./answer-writer.ts";
import type { NodeRequest, RequestTarget } from "./request-target.ts";

/** One request, its response, and what is known of both. */
export interface Exchange {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly target: RequestTarget;
  readonly clientAddress: string;
  /** Whether the answer tells browsers to come to this host by https alone (RFC 6797). */
  readonly strictTransport: boolean;
}
