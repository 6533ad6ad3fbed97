import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ImportOptionsSchema } from "../../gen/signet/v1/user_service_pb.ts";
import { UsageError } from "./context.ts";
import {
  bytesAt,
  type FileRecord,
  flagAt,
  millisecondsAt,
  type RowInit,
  textAt,
} from "./import-record.ts";

/** Reads a User of `firebase auth:export`. */
export function fromFirebase(record: FileRecord): RowInit {
  const created = millisecondsAt(record, "createdAt");
  const picture = textAt(record, "photoUrl");
  const passwordHash = textAt(record, "passwordHash")
    ? ({
        scheme: {
          case: "firebaseScrypt",
          value: { salt: bytesAt(record, "salt"), hash: bytesAt(record, "passwordHash") },
        },
      } as const)
    : undefined;
  return {
    externalId: textAt(record, "localId"),
    email: textAt(record, "email"),
    emailVerified: flagAt(record, "emailVerified"),
    displayName: textAt(record, "displayName"),
    pictureUrl: picture.startsWith("https://") ? picture : "",
    disabled: flagAt(record, "disabled"),
    ...(passwordHash && { passwordHash }),
    ...(created && { createTime: timestampFromDate(created) }),
  };
}

/**
 * Reads the parameters of a project as Firebase's console shows them, or as JSON with the same
 * names.
 *
 * @throws {UsageError} naming what is missing.
 */
export function parseFirebaseConfig(
  text: string,
): NonNullable<MessageInitShape<typeof ImportOptionsSchema>["firebase"]> {
  const find = (name: string) => {
    const value = new RegExp(`\\b${name}"?\\s*[:=]\\s*"?([A-Za-z0-9+/_=-]+)`).exec(text)?.[1];
    if (value !== undefined) return value;
    throw new UsageError(`the Firebase parameters have no ${name}`);
  };
  return {
    signerKey: new Uint8Array(Buffer.from(find("base64_signer_key"), "base64")),
    saltSeparator: new Uint8Array(Buffer.from(find("base64_salt_separator"), "base64")),
    rounds: Number(find("rounds")),
    memCost: Number(find("mem_cost")),
  };
}
