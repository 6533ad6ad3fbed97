import { Code } from "@connectrpc/connect";

/** Names a code as the log and the metrics do, such as `not_found`. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
}
