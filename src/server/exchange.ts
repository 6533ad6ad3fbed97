import type { NodeResponse } from "./answer-writer.ts";
import type { NodeRequest, RequestTarget } from "./request-target.ts";
import type { StrictTransport } from "./strict-transport.ts";

/** One request, its response, and what is known of both. */
export interface Exchange {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly target: RequestTarget;
  readonly clientAddress: string;
  /** What the answer tells browsers of https. */
  readonly strictTransport: StrictTransport;
}
