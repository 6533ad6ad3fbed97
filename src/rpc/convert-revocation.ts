import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { RevocationSchema } from "../../gen/signet/v1/change_pb.ts";
import type { RevocationNotice, SiteRevocation } from "../model/change.ts";

type RevocationMessage = MessageInitShape<typeof RevocationSchema>;

/** Translates a revocation. */
export function toRevocationMessage({ notice, revokeTime }: SiteRevocation): RevocationMessage {
  return {
    subject: toSubject(notice),
    revokeTime: timestampFromDate(revokeTime),
    expireTime: timestampFromDate(notice.expireTime),
  };
}

function toSubject(notice: RevocationNotice): NonNullable<RevocationMessage["subject"]> {
  const { subjectId } = notice;
  switch (notice.kind) {
    case "session_ended":
      return { case: "sessionEnded", value: { sessionId: subjectId, userId: notice.userId ?? "" } };
    case "generation_raised": {
      const generation = BigInt(notice.generation);
      return { case: "generationRaised", value: { userId: subjectId, generation } };
    }
    case "api_key_revoked":
      return { case: "apiKeyWithdrawn", value: { apiKeyId: subjectId } };
    case "site_closed":
      return { case: "siteClosed", value: {} };
    case "signing_key_withdrawn":
      return { case: "signingKeyWithdrawn", value: { keyId: subjectId } };
  }
}
