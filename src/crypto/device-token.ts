import { createHash, randomBytes } from "node:crypto";
import type { SiteId, UserId } from "../model/id.ts";

const PREFIX = "sgn_dt_";
const RANDOM_BYTES = 32;

/** Makes a token that marks a device as known; it is no credential. */
export function newDeviceToken(): string {
  return PREFIX + randomBytes(RANDOM_BYTES).toString("base64url");
}

/** Returns what is stored of a token, which may also be of the app's own making. */
export function hashDeviceToken(siteId: SiteId, userId: UserId, token: string): Buffer {
  return createHash("sha256").update(`signet:device_token\0${siteId}/${userId}/${token}`).digest();
}
