import { hashDeviceToken, newDeviceToken } from "../crypto/device-token.ts";
import type { Client } from "../model/caller.ts";
import type { SiteId, UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { hasSignedInFrom, isKnownDevice, saveKnownDevice } from "../store/known-devices.ts";
import type { Queryable } from "../store/sql.ts";

/**
 * Tells whether a User has signed in on a device before: by its token, or else from the same
 * address with the same program. It is asked before the login is noted.
 */
export async function isSeenDevice(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  client: Client,
): Promise<boolean> {
  const { deviceToken } = client;
  const hash = deviceToken && hashDeviceToken(siteId, userId, deviceToken);
  const seen = await Promise.all([
    hash && isKnownDevice(tx, siteId, userId, hash),
    hasSignedInFrom(tx, siteId, userId, client),
  ]);
  return seen.includes(true);
}

/**
 * Makes the device of a login known, so that its guesses count by themselves from now on. Returns
 * the token that marks it: the one it has, or a new one.
 */
export async function rememberDevice(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  { deviceToken = newDeviceToken() }: Client,
  now: Date,
): Promise<string> {
  const hash = hashDeviceToken(siteId, userId, deviceToken);
  await saveKnownDevice(tx, siteId, userId, hash, { now, max: LIMITS.knownDevicesMax });
  return deviceToken;
}
