import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";

/** How Connect's errors of a message begin that it cannot read. */
const UNREADABLE = /^(?:parse binary: |received compressed envelope, )/;

/**
 * Turns Connect's error of a message that cannot be read into INVALID_ARGUMENT, and leaves any
 * other as it is. Connect calls it INTERNAL, as if the server were at fault.
 *
 * The code is set in the error itself: Connect's adapter writes the very object that it has made.
 */
export function blameSender(error: unknown): void {
  if (!(error instanceof ConnectError) || error.code !== Code.Internal) return;
  if (UNREADABLE.test(error.rawMessage)) Object.assign(error, { code: Code.InvalidArgument });
}

/**
 * Has Connect's adapter do the same in a call: whatever ends it is handed to `abort` of its
 * context before it is written.
 *
 * @throws {ConnectError} INVALID_ARGUMENT for a query that is not base64 although it says so.
 */
export function blameSenderIn(context: HandlerContext): void {
  const { abort } = context as HandlerContext & { abort?: (reason?: unknown) => void };
  if (abort) {
    const abortAndBlame = (reason?: unknown): void => {
      blameSender(reason);
      abort(reason);
    };
    Object.assign(context, { abort: abortAndBlame });
  }
  if (context.requestMethod === "GET") checkQuery(context.url);
}

function checkQuery(url: string): void {
  const { searchParams } = new URL(url);
  if (searchParams.get("base64") !== "1") return;
  try {
    base64Decode(searchParams.get("message") ?? "");
  } catch {
    throw new ConnectError("message is not valid base64", Code.InvalidArgument);
  }
}
