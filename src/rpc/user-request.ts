import type {
  CreateUserRequest,
  InviteUserRequest,
  UpdateUserRequest,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { UserFields } from "../domain/users.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { parseMetadata } from "../model/metadata.ts";
import { parseRoles } from "../model/role.ts";
import { parseLocale, parseText } from "../model/text.ts";
import { parseHttpUrl } from "../model/url.ts";
import { parseUsername } from "../model/username.ts";
import { parseExternalId } from "./convert-user.ts";

/** Reads a User that is to be created. @throws {Failure} `invalid_field` */
export function parseNewUser(request: CreateUserRequest): UserFields {
  return {
    email: parseEmailAddress(request.email, "email"),
    emailVerified: request.emailVerified,
    username: request.username ? parseUsername(request.username, "username") : undefined,
    displayName: parseText(request.displayName, "display_name", { max: LIMITS.nameLengthMax }),
    pictureUrl: request.pictureUrl && parsePictureUrl(request.pictureUrl),
    locale: request.locale && parseLocale(request.locale, "locale"),
    roles: request.roles.length === 0 ? ["user"] : parseRoles(request.roles, "roles"),
    externalId: request.externalId ? parseExternalId(request.externalId, "external_id") : undefined,
    metadata: parseMetadata(request.metadata, "metadata"),
    deletionProtected: request.deletionProtected,
  };
}

/**
 * Reads the fields of an invitation; what is empty is not said.
 *
 * @throws {Failure} `invalid_field`
 */
export function parseInvitedFields(request: InviteUserRequest): UserFields {
  const { username, locale, externalId, roles } = request;
  const metadata = parseMetadata(request.metadata, "metadata");
  const name = parseText(request.displayName, "display_name", { max: LIMITS.nameLengthMax });
  return {
    ...(username && { username: parseUsername(username, "username") }),
    ...(name && { displayName: name }),
    ...(locale && { locale: parseLocale(locale, "locale") }),
    ...(roles.length > 0 && { roles: parseRoles(roles, "roles") }),
    ...(externalId && { externalId: parseExternalId(externalId, "external_id") }),
    ...(metadata && { metadata }),
  };
}

/** Reads what is present; an empty text empties the field, where it may be empty. */
export function parseUpdate(request: UpdateUserRequest): UserFields {
  const { email, username, displayName, pictureUrl, locale, roles, externalId } = request;
  return {
    ...(email !== undefined && { email: parseEmailAddress(email, "email") }),
    ...(request.emailVerified !== undefined && { emailVerified: request.emailVerified }),
    ...(username !== undefined && {
      username: username ? parseUsername(username, "username") : undefined,
    }),
    ...(displayName !== undefined && {
      displayName: parseText(displayName, "display_name", { max: LIMITS.nameLengthMax }),
    }),
    ...(pictureUrl !== undefined && { pictureUrl: pictureUrl && parsePictureUrl(pictureUrl) }),
    ...(locale !== undefined && { locale: locale && parseLocale(locale, "locale") }),
    ...(roles && { roles: parseRoles(roles.roles, "roles.roles") }),
    ...(externalId !== undefined && {
      externalId: externalId ? parseExternalId(externalId, "external_id") : undefined,
    }),
    ...(request.metadata && { metadata: parseMetadata(request.metadata, "metadata") }),
    ...(request.deletionProtected !== undefined && {
      deletionProtected: request.deletionProtected,
    }),
  };
}

/**
 * Reads the address of a picture. Only pages over TLS may show it, whatever this machine runs.
 *
 * @throws {Failure} `invalid_field`
 */
export function parsePictureUrl(text: string): string {
  const url = parseHttpUrl(text, "picture_url");
  if (!url.startsWith("https:")) throw invalidField("picture_url", "must be an https URL");
  return url;
}
