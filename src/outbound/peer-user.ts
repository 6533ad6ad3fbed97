import { type User, UserOriginKind, UserState } from "../../gen/signet/v1/user_pb.ts";
import { type EmailAddress, parseEmailAddress } from "../model/email-address.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { parseId, type UserId } from "../model/id.ts";
import type { JsonObject } from "../model/json.ts";
import { LIMITS } from "../model/limits.ts";
import { parseMetadata } from "../model/metadata.ts";
import type { PeerConfig, PeerField, PeerUser } from "../model/peer.ts";
import { parseLocale, parseText } from "../model/text.ts";
import { parseHttpUrl } from "../model/url.ts";
import { parseUsername } from "../model/username.ts";
import { PeerError } from "./peer-post.ts";

/**
 * Reads a User of a Peer by the rules that hold for Users here, and takes no field that is not on
 * the Peer's list: never roles, and nobody of another Site.
 *
 * @throws {PeerError} `answer_invalid`
 */
export function readPeerUser(peer: PeerConfig, message: User | undefined): PeerUser {
  if (!message) throw new PeerError("answer_invalid");
  try {
    return readUser(peer, message);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new PeerError("answer_invalid", { cause: error });
  }
}

function readUser({ peerSiteId, userFields }: PeerConfig, message: User): PeerUser {
  if (message.siteId !== peerSiteId) throw invalidField("site_id", "is another Site's");
  const takes = (field: PeerField) => userFields.includes(field);
  const { email, username, displayName, pictureUrl, locale } = message;
  const address = takes("email") && email ? parseEmailAddress(email, "email") : undefined;
  return {
    id: parseId<UserId>(message.id, "id"),
    version: readVersion(message.version),
    email: address,
    emailVerified: isVerified(address, takes("email_verified") && message.emailVerified),
    username: takes("username") && username ? parseUsername(username, "username") : undefined,
    displayName: takes("display_name") ? parseName(displayName) : "",
    pictureUrl: takes("picture_url") && pictureUrl ? parsePicture(pictureUrl) : "",
    locale: takes("locale") && locale ? parseLocale(locale, "locale") : "",
    metadata: takes("metadata") ? readMetadata(message.metadata) : undefined,
    state: STATES[message.state] ?? "other",
    isCopy: message.origin?.kind === UserOriginKind.PEER,
  };
}

const STATES: Readonly<Partial<Record<UserState, PeerUser["state"]>>> = {
  [UserState.ACTIVE]: "active",
  [UserState.DELETED]: "deleted",
};

function readVersion(version: bigint): number {
  if (version < 1n || version > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalidField("version", "must be from 1 to 2^53");
  }
  return Number(version);
}

function isVerified(email: EmailAddress | undefined, told: boolean): boolean {
  return email !== undefined && told;
}

function parseName(text: string): string {
  return parseText(text, "display_name", { max: LIMITS.nameLengthMax });
}

function parsePicture(text: string): string {
  const url = parseHttpUrl(text, "picture_url");
  if (!url.startsWith("https:")) throw invalidField("picture_url", "must be an https URL");
  return url;
}

function readMetadata(metadata: User["metadata"]): JsonObject | undefined {
  return parseMetadata(metadata, "metadata");
}
