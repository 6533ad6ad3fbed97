import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Delivery, OneTimePurpose } from "../../gen/signet/v1/auth_service_pb.ts";
import { hasScope } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { readNewPassword } from "../domain/new-password.ts";
import type { MintedOneTimeToken } from "../domain/one-time.ts";
import type { Caller } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import type { OneTimePurpose as Purpose } from "../model/one-time.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";

/** Those who could look the address up anyway, or are sent its tokens. */
export function maySeeOutcome(caller: Caller): boolean {
  return (["auth.tokens", "users.read", "sync"] as const).some((scope) => hasScope(caller, scope));
}

/** Returns whether the token is asked for. @throws {Failure} `access_denied` */
export function parseDelivery(delivery: Delivery, caller: Caller): boolean {
  switch (delivery) {
    case Delivery.UNSPECIFIED:
    case Delivery.SEND:
      return false;
    case Delivery.RETURN_TOKEN:
      if (caller.kind === "site_key" && hasScope(caller, "auth.tokens")) return true;
      throw new Failure("access_denied");
    default:
      throw invalidField("delivery", "is unknown");
  }
}

/** Compared to the letter: a prefix or a pattern would be an open redirect. */
export function parseRedirectUrl(url: string, site: Site): string {
  if (url !== "" && !(site.redirectUrls as readonly string[]).includes(url)) {
    throw invalidField("redirect_url", "must be one of the Site's redirect_urls");
  }
  return url;
}

/** Reads a new password, where one is given. */
export async function parseOptionalPassword(
  deps: Deps,
  password: string,
  site: Site,
): Promise<Secret | undefined> {
  if (password === "") return undefined;
  return await readNewPassword(deps, site, password, "password");
}

/** Reads a token of whatever kind; one that is too long is as unknown as one never made. */
export function parseToken(token: string, field: string): string {
  if (token === "") throw invalidField(field, "is required");
  return token.slice(0, LIMITS.tokenLengthMax + 1);
}

const TOTP_CODE = /^[0-9]{6}$/;

/** Reads the code of an authenticator; spaces between the digits do no harm. */
export function parseTotpCode(text: string): string {
  const code = text.slice(0, 16).replaceAll(" ", "");
  if (!TOTP_CODE.test(code)) throw invalidField("totp_code", "must be six digits");
  return code;
}

const PURPOSE: Readonly<Record<Purpose, OneTimePurpose>> = {
  verify_email: OneTimePurpose.VERIFY_EMAIL,
  reset_password: OneTimePurpose.RESET_PASSWORD,
  accept_invitation: OneTimePurpose.ACCEPT_INVITATION,
  change_email: OneTimePurpose.CONFIRM_EMAIL_CHANGE,
};

/** Returns the number on the wire of a purpose. */
export function purposeToMessage(purpose: Purpose): OneTimePurpose {
  return PURPOSE[purpose];
}

/** Converts a token on its way to the one person it is for. */
export function toOneTimeToken({ text, purpose, expireTime }: MintedOneTimeToken) {
  return {
    token: text.reveal(),
    purpose: PURPOSE[purpose],
    expireTime: timestampFromDate(expireTime),
  };
}
