import { isIP } from "node:net";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ContextValues } from "@connectrpc/connect";
import type { Client as ClientMessage } from "../../gen/signet/v1/session_pb.ts";
import type { RefreshToken } from "../domain/refresh-tokens.ts";
import type { AccessToken } from "../domain/tokens.ts";
import type { AccessTokenClaims } from "../model/access-token-claims.ts";
import type { Caller, Client } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { normalAddress } from "../model/network-address.ts";
import type { Session } from "../model/session.ts";
import { printableText } from "../model/text.ts";
import { callerOf } from "./authorize.ts";
import { clientAddressOf } from "./client-address.ts";

const USER_AGENT_LENGTH_MAX = 512;

/**
 * Returns the end user's device: what a backend passes on, and else the client itself. Only a
 * site key is believed about the address; anybody else could name a victim's. A device's token
 * speaks for itself.
 *
 * @throws {Failure} `invalid_field`
 */
export function clientOf(
  message: ClientMessage | undefined,
  { values, requestHeader }: { readonly values: ContextValues; readonly requestHeader: Headers },
): Client {
  const caller: Caller = callerOf(values);
  const token = message?.deviceToken ?? "";
  if (token.length > LIMITS.deviceTokenLengthMax) {
    const problem = `must have at most ${LIMITS.deviceTokenLengthMax} characters`;
    throw invalidField("client.device_token", problem);
  }
  const device = token === "" ? {} : { deviceToken: token };
  const own = {
    ip: clientAddressOf(values),
    userAgent: printableText(requestHeader.get("user-agent") ?? "", USER_AGENT_LENGTH_MAX),
  };
  if (caller.kind !== "site_key" || !message) return { ...own, ...device };
  return {
    ip: message.ip === "" ? own.ip : parsePassedAddress(message.ip),
    userAgent: printableText(message.userAgent, USER_AGENT_LENGTH_MAX),
    ...device,
  };
}

/** Limits rest on it, so that a text that is no address must not stand for a client. */
function parsePassedAddress(text: string): string {
  const address = normalAddress(text);
  if (isIP(address) === 0) throw invalidField("client.ip", "must be an IPv4 or IPv6 address");
  return address;
}

/** Translates a Session into the fields of its message. */
export function toSessionMessage(session: Session, current: boolean) {
  return {
    id: session.id,
    userId: session.userId,
    client: { ip: session.client.ip, userAgent: session.client.userAgent },
    createTime: timestampFromDate(session.createTime),
    lastRefreshTime: timestampFromDate(session.lastRefreshTime),
    idleExpireTime: timestampFromDate(session.idleExpireTime),
    absoluteExpireTime: timestampFromDate(session.absoluteExpireTime),
    authTime: timestampFromDate(session.authTime),
    amr: [...session.amr],
    current,
  };
}

/** Translates the tokens of a Session; here their text leaves the process. */
export function toTokenPair(accessToken: AccessToken, refreshToken: RefreshToken) {
  return {
    accessToken: accessToken.text.reveal(),
    accessTokenExpireTime: timestampFromDate(accessToken.expireTime),
    refreshToken: refreshToken.text.reveal(),
    refreshTokenExpireTime: timestampFromDate(refreshToken.expireTime),
  };
}

/** Translates the claims of an access token. */
export function toClaimsMessage(siteId: SiteId, claims: AccessTokenClaims) {
  return {
    userId: claims.userId,
    siteId,
    sessionId: claims.sessionId,
    generation: BigInt(claims.generation),
    roles: [...claims.roles],
    audiences: [...claims.audiences],
    authTime: timestampFromDate(claims.authTime),
    amr: [...claims.authMethods],
    issueTime: timestampFromDate(claims.issueTime),
    expireTime: timestampFromDate(claims.expireTime),
    tokenId: claims.tokenId,
  };
}

/** Translates a time that may be absent. */
export function optionalTimestamp(time: Date | undefined): Timestamp | undefined {
  return time && timestampFromDate(time);
}
