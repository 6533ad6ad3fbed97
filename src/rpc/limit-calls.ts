import { isIP } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";
import type { AccessRule } from "../../gen/signet/v1/access_pb.ts";
import type { CallKind, CallLimits } from "../domain/call-limits.ts";
import type { Caller } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import { addressGroup, normalAddress } from "../model/network-address.ts";

/** RPCs that check a secret or send a mail; of the others, those that anybody can call count. */
const KIND: Readonly<Record<string, CallKind>> = {
  "AuthService.Register": "mail",
  "AuthService.ResendVerification": "mail",
  "AuthService.RequestPasswordReset": "mail",
  "AuthService.RequestEmailChange": "mail",
  "UserService.InviteUser": "mail",
  "AuthService.AcceptInvitation": "secret",
  "AuthService.VerifyEmail": "secret",
  "AuthService.Login": "secret",
  "AuthService.CompleteMfa": "secret",
  "AuthService.Reauthenticate": "secret",
  "AuthService.ResetPassword": "secret",
  "AuthService.ChangePassword": "secret",
  "AuthService.ConfirmEmailChange": "secret",
  "AuthService.ConfirmTotp": "secret",
  "SyncService.VerifyPeerLogin": "secret",
  "SyncService.CompletePeerMfa": "secret",
};

/** Finds how the calls of an RPC are limited; undefined: not at all. */
export function callKindOf(method: DescMethod, rule: AccessRule): CallKind | undefined {
  const kind = KIND[`${method.parent.name}.${method.name}`];
  return kind ?? (rule.public || rule.anyone ? "plain" : undefined);
}

/**
 * Counts a call against whoever makes it. Before the Site is looked up, so that naming Sites at
 * random costs little.
 *
 * A backend is never one client: it is limited by the address that it passes on, within its own
 * Site, and without one by its Site alone. A User is limited by name, since many calls of Users
 * come from one backend. Whoever runs Signet is not limited.
 *
 * @throws {Failure} `rate_limited`
 */
export function countForSource(
  limits: CallLimits,
  kind: CallKind | undefined,
  { caller, message, clientAddress }: LimitedCall,
): void {
  const name = kind && sourceOf(caller, message, clientAddress);
  if (name) limits.count({ by: "source", name }, kind);
}

/** Counts a call of anybody but the operator against its Site. @throws {Failure} `rate_limited` */
export function countForSite(
  limits: CallLimits,
  kind: CallKind | undefined,
  siteId: SiteId | undefined,
): void {
  if (kind && siteId) limits.count({ by: "site", name: siteId }, kind);
}

/** What a limit may rest on. */
export interface LimitedCall {
  readonly caller: Caller;
  readonly message: object;
  /** Empty: no socket is involved. */
  readonly clientAddress: string;
}

function sourceOf(caller: Caller, message: object, clientAddress: string): string | undefined {
  switch (caller.kind) {
    case "operator":
      return undefined;
    case "anonymous":
      return clientAddress && addressGroup(clientAddress);
    case "user":
      return `${caller.siteId}/${caller.userId}`;
    case "site_key": {
      const address = normalAddress(passedAddress(message));
      // A malformed one is refused by the RPC itself.
      return isIP(address) === 0 ? undefined : `${caller.siteId}/${addressGroup(address)}`;
    }
  }
}

function passedAddress(message: object): string {
  const client: unknown = "client" in message ? message.client : undefined;
  const isClient = typeof client === "object" && client !== null && "ip" in client;
  return isClient && typeof client.ip === "string" ? client.ip : "";
}
