import type { CompleteMfaRequest, LoginRequest } from "../../gen/signet/v1/auth_service_pb.ts";
import type { LoginProof } from "../domain/login-check.ts";
import type { FactorCode } from "../domain/second-factor.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { parseText } from "../model/text.ts";
import { parseUsername } from "../model/username.ts";
import { parseTotpCode } from "./one-time-fields.ts";

const RECOVERY_CODE_LENGTH_MAX = 64;

/** Reads whom a person says to be. @throws {Failure} `invalid_field` */
export function parseIdentifier(identifier: LoginRequest["identifier"]): LoginProof["identifier"] {
  switch (identifier.case) {
    case "email":
      return { by: "email", email: parseEmailAddress(identifier.value, "email") };
    case "username":
      return { by: "username", username: parseUsername(identifier.value, "username") };
    case undefined:
      throw invalidField("email", "is required");
  }
}

/** Reads the proof besides the password. @throws {Failure} `invalid_field` */
export function parseCode(code: CompleteMfaRequest["code"]): FactorCode {
  switch (code.case) {
    case "totpCode":
      return { by: "totp", code: parseTotpCode(code.value) };
    case "recoveryCode":
      return {
        by: "recovery_code",
        code: parseText(code.value, "recovery_code", { max: RECOVERY_CODE_LENGTH_MAX }),
      };
    case undefined:
      throw invalidField("totp_code", "is required");
  }
}
