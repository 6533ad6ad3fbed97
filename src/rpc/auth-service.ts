import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import type { Deps } from "../domain/deps.ts";
import { emailCalls } from "./email-calls.ts";
import { loginCalls } from "./login-calls.ts";
import { mfaCalls } from "./mfa-calls.ts";
import { passwordCalls } from "./password-calls.ts";
import { registrationCalls } from "./registration-calls.ts";
import { sessionCalls } from "./session-calls.ts";
import { tokenCalls } from "./token-calls.ts";

/** Implements `signet.v1.AuthService`. */
export function authService(deps: Deps): ServiceImpl<typeof AuthService> {
  return {
    ...registrationCalls(deps),
    ...emailCalls(deps),
    ...loginCalls(deps),
    ...tokenCalls(deps),
    ...sessionCalls(deps),
    ...passwordCalls(deps),
    ...mfaCalls(deps),
  };
}
