/** Why a call was refused; each reason is an `ErrorReason` on the wire (`rpc/errors.ts`). */
export type Reason =
  | "credential_invalid"
  | "login_failed"
  | "email_unverified"
  | "refresh_token_invalid"
  | "one_time_token_invalid"
  | "access_denied"
  | "recent_login_required"
  | "site_not_found"
  | "user_not_found"
  | "session_not_found"
  | "api_key_not_found"
  | "mirror_not_found"
  | "webhook_not_found"
  | "delivery_not_found"
  | "peer_not_found"
  | "invalid_field"
  | "invalid_page_token"
  | "invalid_cursor"
  | "password_rejected"
  | "email_taken"
  | "username_taken"
  | "external_id_taken"
  | "domain_taken"
  | "id_taken"
  | "version_mismatch"
  | "deletion_protected"
  | "last_admin"
  | "mfa_already_enrolled"
  | "mfa_not_enrolled"
  | "self_registration_off"
  | "user_not_active"
  | "mfa_policy"
  | "rate_limited"
  | "overloaded"
  | "too_many_streams"
  | "slow_consumer"
  | "catch_up_busy"
  | "message_too_large"
  | "limit_reached"
  | "unavailable"
  | "shutting_down"
  | "cursor_expired"
  | "epoch_changed"
  | "cursor_ahead"
  | "scope_changed";

/**
 * An expected refusal. Everything else that is thrown is a bug or an outage.
 *
 * `metadata` goes to the caller, so it never holds a secret or another Site's data.
 */
export class Failure extends Error {
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  /** How long the caller should wait before it tries again; absent where that would not help. */
  readonly retryDelayMs: number | undefined;

  constructor(
    reason: Reason,
    metadata: Readonly<Record<string, string>> = {},
    options: { readonly retryDelayMs?: number; readonly cause?: unknown } = {},
  ) {
    super(reason.replaceAll("_", " "), { cause: options.cause });
    this.name = "Failure";
    this.reason = reason;
    this.metadata = metadata;
    this.retryDelayMs = options.retryDelayMs;
  }
}

/** Builds the Failure for a field of the request that is missing, malformed or too large. */
export function invalidField(field: string, problem: string): Failure {
  return new Failure("invalid_field", { field, problem });
}
