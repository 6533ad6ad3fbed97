import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { type ErrorDetail, ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { Failure, type Reason } from "../model/failure.ts";
import { keptRequestId } from "./request-id.ts";

/** How each failure looks on the wire; `error.proto` documents the reasons. */
const WIRE: Readonly<Record<Reason, readonly [Code, ErrorReason]>> = {
  credential_invalid: [Code.Unauthenticated, ErrorReason.CREDENTIAL_INVALID],
  login_failed: [Code.Unauthenticated, ErrorReason.LOGIN_FAILED],
  email_unverified: [Code.FailedPrecondition, ErrorReason.EMAIL_UNVERIFIED],
  refresh_token_invalid: [Code.Unauthenticated, ErrorReason.REFRESH_TOKEN_INVALID],
  one_time_token_invalid: [Code.FailedPrecondition, ErrorReason.ONE_TIME_TOKEN_INVALID],
  access_denied: [Code.PermissionDenied, ErrorReason.ACCESS_DENIED],
  recent_login_required: [Code.PermissionDenied, ErrorReason.RECENT_LOGIN_REQUIRED],
  site_not_found: [Code.NotFound, ErrorReason.SITE_NOT_FOUND],
  user_not_found: [Code.NotFound, ErrorReason.USER_NOT_FOUND],
  session_not_found: [Code.NotFound, ErrorReason.SESSION_NOT_FOUND],
  api_key_not_found: [Code.NotFound, ErrorReason.API_KEY_NOT_FOUND],
  mirror_not_found: [Code.NotFound, ErrorReason.MIRROR_NOT_FOUND],
  webhook_not_found: [Code.NotFound, ErrorReason.WEBHOOK_NOT_FOUND],
  delivery_not_found: [Code.NotFound, ErrorReason.DELIVERY_NOT_FOUND],
  peer_not_found: [Code.NotFound, ErrorReason.PEER_NOT_FOUND],
  invalid_field: [Code.InvalidArgument, ErrorReason.INVALID_FIELD],
  invalid_page_token: [Code.InvalidArgument, ErrorReason.INVALID_PAGE_TOKEN],
  invalid_cursor: [Code.InvalidArgument, ErrorReason.INVALID_CURSOR],
  password_rejected: [Code.InvalidArgument, ErrorReason.PASSWORD_REJECTED],
  email_taken: [Code.AlreadyExists, ErrorReason.EMAIL_TAKEN],
  username_taken: [Code.AlreadyExists, ErrorReason.USERNAME_TAKEN],
  external_id_taken: [Code.AlreadyExists, ErrorReason.EXTERNAL_ID_TAKEN],
  domain_taken: [Code.AlreadyExists, ErrorReason.DOMAIN_TAKEN],
  id_taken: [Code.AlreadyExists, ErrorReason.ID_TAKEN],
  version_mismatch: [Code.Aborted, ErrorReason.VERSION_MISMATCH],
  deletion_protected: [Code.FailedPrecondition, ErrorReason.DELETION_PROTECTED],
  last_admin: [Code.FailedPrecondition, ErrorReason.LAST_ADMIN],
  mfa_already_enrolled: [Code.FailedPrecondition, ErrorReason.MFA_ALREADY_ENROLLED],
  mfa_not_enrolled: [Code.FailedPrecondition, ErrorReason.MFA_NOT_ENROLLED],
  mfa_policy: [Code.FailedPrecondition, ErrorReason.MFA_POLICY],
  self_registration_off: [Code.FailedPrecondition, ErrorReason.SELF_REGISTRATION_OFF],
  user_not_active: [Code.FailedPrecondition, ErrorReason.USER_NOT_ACTIVE],
  rate_limited: [Code.ResourceExhausted, ErrorReason.RATE_LIMITED],
  overloaded: [Code.ResourceExhausted, ErrorReason.OVERLOADED],
  too_many_streams: [Code.ResourceExhausted, ErrorReason.TOO_MANY_STREAMS],
  slow_consumer: [Code.ResourceExhausted, ErrorReason.SLOW_CONSUMER],
  catch_up_busy: [Code.ResourceExhausted, ErrorReason.CATCH_UP_BUSY],
  message_too_large: [Code.ResourceExhausted, ErrorReason.MESSAGE_TOO_LARGE],
  limit_reached: [Code.ResourceExhausted, ErrorReason.LIMIT_REACHED],
  unavailable: [Code.Unavailable, ErrorReason.UNAVAILABLE],
  shutting_down: [Code.Unavailable, ErrorReason.SHUTTING_DOWN],
  cursor_expired: [Code.OutOfRange, ErrorReason.CURSOR_EXPIRED],
  epoch_changed: [Code.FailedPrecondition, ErrorReason.EPOCH_CHANGED],
  cursor_ahead: [Code.FailedPrecondition, ErrorReason.CURSOR_AHEAD],
  scope_changed: [Code.FailedPrecondition, ErrorReason.SCOPE_CHANGED],
};

/** Failures that a flood meets with are the same object again and again. */
const translated = new WeakMap<Failure, ConnectError>();

/** Translates a Failure; its reason, metadata and delay go into the one detail message. */
export function failureToConnectError(failure: Failure): ConnectError {
  if (failure.reason !== "overloaded") return translate(failure);
  const error = translated.get(failure) ?? translate(failure);
  translated.set(failure, error);
  return error;
}

function translate(failure: Failure): ConnectError {
  const [code, reason] = WIRE[failure.reason];
  const { field, problem } = failure.metadata;
  const message = field && problem ? `${field} ${problem}` : failure.message;
  return errorWithDetail(message, code, reason, failure.metadata, failure.retryDelayMs ?? 0);
}

/** Translates a Failure that ends no call: that of one row among many. */
export function failureToDetail({ reason, metadata }: Failure): ErrorDetail {
  return create(ErrorDetailSchema, { reason: WIRE[reason][1], metadata: { ...metadata } });
}

/**
 * Translates what a handler throws into what a client may see.
 *
 * A Failure keeps its reason; a ConnectError passes unchanged; everything else is logged under
 * an incident id and becomes a bare INTERNAL, so that no detail of the database or the stack
 * leaves the process.
 */
export function toConnectError(error: unknown, log: Logger, requestId?: string): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof Failure) return failureToConnectError(error);
  if (error instanceof Error && error.name === "AbortError") {
    return new ConnectError("the call was cancelled", Code.Canceled);
  }
  const incidentId = randomUUID();
  log.error({ err: error, incidentId, requestId }, "unexpected error");
  const metadata = { incident_id: incidentId };
  return errorWithDetail("internal error", Code.Internal, ErrorReason.INTERNAL, metadata, 0);
}

/** Creates the interceptor that lets no other error out, in unary calls and streams alike. */
export function translateErrors(log: Logger): Interceptor {
  return (next) => async (request) => {
    try {
      const response = await next(request);
      if (!response.stream) return response;
      const requestId = keptRequestId(request.contextValues);
      return { ...response, message: translateStream(response.message, log, requestId) };
    } catch (error) {
      throw toConnectError(error, log, keptRequestId(request.contextValues));
    }
  };
}

async function* translateStream<T>(
  messages: AsyncIterable<T>,
  log: Logger,
  requestId: string,
): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toConnectError(error, log, requestId);
  }
}

function errorWithDetail(
  message: string,
  code: Code,
  reason: ErrorReason,
  metadata: Readonly<Record<string, string>>,
  retryDelayMs: number,
): ConnectError {
  const value = { reason, metadata: { ...metadata }, retryDelayMs: BigInt(retryDelayMs) };
  return new ConnectError(message, code, undefined, [{ desc: ErrorDetailSchema, value }]);
}
