import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  fromJsonString,
  type MessageInitShape,
  type MessageShape,
  toJsonString,
} from "@bufbuild/protobuf";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import type { PeerConfig, PeerProblem } from "../model/peer.ts";
import { AnswerTooLargeError, type OutwardAnswer, postText } from "./outward-post.ts";
import { problemOf } from "./webhook-post.ts";

/** A call to a Peer has brought no answer of use. */
export class PeerError extends Error {
  readonly problem: PeerProblem;
  /** Whether the Peer is well, and has had too much to do for this one call. */
  readonly isBusy: boolean;

  constructor(problem: PeerProblem, options: ErrorOptions & { readonly isBusy?: boolean } = {}) {
    super(problem.replaceAll("_", " "), options);
    this.name = "PeerError";
    this.problem = problem;
    this.isBusy = options.isBusy ?? false;
  }
}

/** The Peer has refused what was asked, for a reason of the contract. */
export class PeerRefusal extends Error {
  readonly reason: ErrorReason;

  constructor(reason: ErrorReason) {
    super(`refused for reason ${reason}`);
    this.name = "PeerRefusal";
    this.reason = reason;
  }
}

/** How a Peer is called. */
export interface PeerCall {
  readonly internalHosts: readonly string[];
  readonly timeoutMs: number;
  readonly bytesMax: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a unary call of a Peer, as Connect has it over HTTP with JSON, so that what comes back can
 * be bounded before it is read.
 *
 * @throws {PeerError}
 * @throws {PeerRefusal}
 */
export async function callPeer<I extends DescMessage, O extends DescMessage>(
  { url, key }: PeerConfig,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  call: PeerCall,
): Promise<MessageShape<O>> {
  const { timeoutMs } = call;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = call.signal ? AbortSignal.any([timeout, call.signal]) : timeout;
  const headers = {
    authorization: `Bearer ${key.reveal()}`,
    "content-type": "application/json",
    "connect-protocol-version": "1",
    "connect-timeout-ms": `${timeoutMs}`,
    "user-agent": "signet",
  };
  const target = new URL(`${url}/${method.parent.typeName}/${method.name}`);
  const body = toJsonString(method.input, create(method.input, request));
  const answer = await postText(target, body, { ...call, headers, signal }).catch(
    (error: unknown) => {
      throw toPeerError(error, timeout.aborted);
    },
  );
  return readAnswer(method.output, answer);
}

function toPeerError(error: unknown, timedOut: boolean): PeerError {
  if (timedOut) return new PeerError("timed_out", { cause: error });
  if (error instanceof AnswerTooLargeError)
    return new PeerError("answer_invalid", { cause: error });
  const problem = problemOf(error);
  // A name of webhooks alone; no connection has it.
  if (problem === "status_refused") return new PeerError("answer_invalid", { cause: error });
  return new PeerError(problem, { cause: error });
}

function readAnswer<O extends DescMessage>(schema: O, answer: OutwardAnswer): MessageShape<O> {
  if (answer.contentType !== "application/json") throw new PeerError("answer_invalid");
  if (answer.status !== 200) throw readRefusal(answer.text);
  try {
    return fromJsonString(schema, answer.text, { ignoreUnknownFields: true });
  } catch (error) {
    throw new PeerError("answer_invalid", { cause: error });
  }
}

const BUSY: readonly ErrorReason[] = [
  ErrorReason.RATE_LIMITED,
  ErrorReason.OVERLOADED,
  ErrorReason.TOO_MANY_STREAMS,
  ErrorReason.CATCH_UP_BUSY,
];
const AWAY: readonly ErrorReason[] = [
  ErrorReason.UNAVAILABLE,
  ErrorReason.SHUTTING_DOWN,
  ErrorReason.INTERNAL,
];

function readRefusal(text: string): PeerError | PeerRefusal {
  const reason = reasonOf(text);
  if (reason === undefined) return new PeerError("answer_invalid");
  if (reason === ErrorReason.CREDENTIAL_INVALID) return new PeerError("key_refused");
  if (reason === ErrorReason.ACCESS_DENIED) return new PeerError("access_denied");
  if (BUSY.includes(reason)) return new PeerError("unavailable", { isBusy: true });
  if (AWAY.includes(reason)) return new PeerError("unavailable");
  return new PeerRefusal(reason);
}

/** Finds the reason among the details of an error; undefined: it is none of a Signet. */
function reasonOf(text: string): ErrorReason | undefined {
  try {
    const { details } = JSON.parse(text) as { readonly details?: unknown };
    for (const detail of Array.isArray(details) ? details : []) {
      const { type, value } = detail as { readonly type?: unknown; readonly value?: unknown };
      if (type !== ErrorDetailSchema.typeName || typeof value !== "string") continue;
      const { reason } = fromBinary(ErrorDetailSchema, Buffer.from(value, "base64"));
      if (reason !== ErrorReason.UNSPECIFIED) return reason;
    }
  } catch {
    // Neither JSON nor a detail: no Signet has written it.
  }
  return undefined;
}
