import { createClient, type Transport } from "@connectrpc/connect";
import {
  AuthService,
  type LoginResponse,
  type SessionStarted,
} from "../../../gen/signet/v1/auth_service_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import type { AdminCaller } from "../session/caller.ts";
import { tokensOf } from "../session/transport.ts";

/** What an admin signs in with. */
export interface AdminLogin {
  /** The Site's id or one of its host names. */
  readonly site: string;
  /** An e-mail address or a username. */
  readonly name: string;
  readonly password: string;
}

/** How far a login has come. */
export type LoginStep =
  | { readonly kind: "signed_in"; readonly caller: AdminCaller }
  | { readonly kind: "code_wanted"; readonly siteId: string; readonly challengeToken: string }
  /** The Site wants a second factor, and the User has none yet. */
  | { readonly kind: "factor_missing" }
  /** The User has not the role; its Session has ended again. */
  | { readonly kind: "no_admin" };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Takes the first step of a login. */
export async function logIn(transport: Transport, login: AdminLogin): Promise<LoginStep> {
  const siteId = await findSite(transport, login.site.trim());
  const name = login.name.trim();
  const identifier = name.includes("@")
    ? ({ case: "email", value: name } as const)
    : ({ case: "username", value: name } as const);
  const { password } = login;
  const auth = createClient(AuthService, transport);
  const { result }: LoginResponse = await auth.login({ siteId, identifier, password });
  if (result.case === "session") return await begin(transport, siteId, name, result.value);
  if (result.case === "mfaEnrollment") return { kind: "factor_missing" };
  const challengeToken = result.value?.challengeToken ?? "";
  return { kind: "code_wanted", siteId, challengeToken };
}

/** Takes the second step: a code of the authenticator app, or else a recovery code. */
export async function answerChallenge(
  transport: Transport,
  challenge: { readonly siteId: string; readonly challengeToken: string },
  name: string,
  text: string,
): Promise<LoginStep> {
  const auth = createClient(AuthService, transport);
  const { session } = await auth.completeMfa({ ...challenge, code: codeOf(text) });
  return await begin(transport, challenge.siteId, name.trim(), session);
}

/** Tells the six digits of an app from a recovery code. */
export function codeOf(text: string) {
  const value = text.replaceAll(/\s/g, "");
  return /^\d{6}$/.test(value)
    ? ({ case: "totpCode", value } as const)
    : ({ case: "recoveryCode", value } as const);
}

async function findSite(transport: Transport, site: string): Promise<string> {
  if (UUID.test(site)) return site.toLowerCase();
  const found = await createClient(SiteService, transport).getSiteByDomain({ domain: site });
  return found.site?.id ?? "";
}

async function begin(
  transport: Transport,
  siteId: string,
  name: string,
  started: SessionStarted | undefined,
): Promise<LoginStep> {
  const tokens = tokensOf(started?.tokens);
  if (started?.user?.roles.includes("admin") !== true) {
    await createClient(AuthService, transport).logout({
      siteId,
      refreshToken: tokens.refreshToken,
    });
    return { kind: "no_admin" };
  }
  const mfaEnabled = started.user.mfaEnabled;
  return { kind: "signed_in", caller: { kind: "admin", siteId, name, mfaEnabled, tokens } };
}
