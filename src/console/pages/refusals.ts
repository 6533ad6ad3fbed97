import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import { CONTEXT_PROBLEM } from "../../model/password-context.ts";
import type { FieldErrors } from "./form.ts";
import type { ActRequest } from "./kinds.ts";
import type { PageWords, ProblemName } from "./words/page-words.ts";

/** A problem that no field can mend, as HTTP tells it. */
export interface Problem {
  readonly name: ProblemName;
  readonly status: number;
  readonly retryAfterSeconds?: number | undefined;
}

const PASSWORD_LENGTH_MAX = 256;
/** UTF-16 code units for each of them, before NFC. */
const RAW_UNITS = 8;

/** Tells whether a call was refused because the link no longer works, or never has. */
export function isGone(error: unknown): boolean {
  return detailOf(error)?.reason === ErrorReason.ONE_TIME_TOKEN_INVALID;
}

/** Finds what is wrong with what was sent; undefined: that is not why the call was refused. */
export function fieldErrorsOf(
  error: unknown,
  words: PageWords,
  { password }: Pick<ActRequest, "password">,
  passwordLengthMin: number,
): FieldErrors | undefined {
  const detail = detailOf(error);
  switch (detail?.reason) {
    case ErrorReason.PASSWORD_REJECTED:
      if (detail.metadata.problem === CONTEXT_PROBLEM) return { password: words.passwordOfNames };
      return { password: passwordProblem(words, password, passwordLengthMin) };
    case ErrorReason.USERNAME_TAKEN:
      return { username: words.usernameTaken };
    case ErrorReason.INVALID_FIELD:
      return fieldErrorOf(detail.metadata.field ?? "", words);
    default:
      return undefined;
  }
}

/** Finds what to tell of a refusal that is nobody's slip. */
export function problemOf(error: unknown): Problem {
  const { code } = ConnectError.from(error);
  const detail = detailOf(error);
  if (detail?.reason === ErrorReason.EMAIL_TAKEN) return { name: "emailTaken", status: 409 };
  const delayMs = Number(detail?.retryDelayMs ?? 0);
  const retryAfterSeconds = Math.max(1, Math.ceil(delayMs / 1_000));
  if (detail?.reason === ErrorReason.RATE_LIMITED) {
    return { name: "rateLimited", status: 429, retryAfterSeconds };
  }
  switch (code) {
    case Code.ResourceExhausted:
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.Canceled:
      return { name: "busy", status: 503, retryAfterSeconds };
    // A Site that does not exist looks like a caller who has forgotten the credential.
    case Code.Unauthenticated:
    case Code.NotFound:
    case Code.InvalidArgument:
      return { name: "unknown", status: 404 };
    default:
      return { name: "failed", status: 500 };
  }
}

function fieldErrorOf(field: string, words: PageWords): FieldErrors | undefined {
  switch (field) {
    case "password":
    case "new_password":
      return { password: words.passwordMissing };
    case "username":
      return { username: words.usernameWrong };
    case "email":
      return { email: words.emailWrong };
    default:
      return undefined;
  }
}

/** Counts as Signet does, which tells the problem in English alone. */
function passwordProblem(words: PageWords, password: string, lengthMin: number): string {
  // Signet has not looked at it either: NFC takes quadratic time on a long text of marks.
  if (password.length > RAW_UNITS * PASSWORD_LENGTH_MAX) return words.passwordTooLong;
  const length = [...password.normalize("NFC")].length;
  if (length === 0) return words.passwordMissing;
  if (length < lengthMin) return words.passwordTooShort(lengthMin);
  return length > PASSWORD_LENGTH_MAX ? words.passwordTooLong : words.passwordKnown;
}

function detailOf(error: unknown) {
  return ConnectError.from(error).findDetails(ErrorDetailSchema)[0];
}
