import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, type Interceptor } from "@connectrpc/connect";
import type { AccessRule } from "../../gen/signet/v1/access_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Authentication } from "../domain/authentication.ts";
import type { CallLimits } from "../domain/call-limits.ts";
import type { KnownSites } from "../domain/known-sites.ts";
import type { Caller, UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId, type UserId } from "../model/id.ts";
import { admit } from "./access-rules.ts";
import { browserPageKey, checkPage } from "./browser-page.ts";
import { clientAddressOf } from "./client-address.ts";
import { callKindOf, countForSite, countForSource } from "./limit-calls.ts";

const callerKey = createContextKey<Caller>({ kind: "anonymous" }, { description: "who calls" });

/** Returns who calls, as the credential has proved. */
export function callerOf(values: ContextValues): Caller {
  return values.get(callerKey);
}

/** Returns the calling User, for RPCs that admit nobody else. @throws {Failure} `access_denied` */
export function userCallerOf(values: ContextValues): UserCaller {
  const caller = callerOf(values);
  if (caller.kind !== "user") throw new Failure("access_denied");
  return caller;
}

/**
 * Returns whom a request is about: a User is its own subject where it names none.
 *
 * @throws {Failure} `invalid_field` for `user_id`
 */
export function subjectOf(caller: Caller, userId: string): UserId {
  if (caller.kind === "user" && userId === "") return caller.userId;
  return parseId<UserId>(userId, "user_id");
}

/** What the gate of all RPCs decides by. */
export interface Gate {
  readonly rules: ReadonlyMap<DescMethod, AccessRule>;
  readonly authentication: Authentication;
  readonly sites: KnownSites;
  readonly limits: CallLimits;
  /** Where Signet is reached; its own pages are no strangers. */
  readonly publicUrl: string;
}

/**
 * Creates the one gate of all RPCs: it finds out who calls, and applies the limits and the
 * method's access rule before anything else is done. A method without a rule, such as those of
 * health and reflection, which belong to the server, is none of its concern.
 */
export function authorize(gate: Gate): Interceptor {
  const ownOrigin = new URL(gate.publicUrl).origin;
  return (next) => async (request) => {
    const rule = gate.rules.get(request.method);
    if (!rule) return await next(request);
    const { contextValues: values, message } = request;
    const caller = await gate.authentication.authenticate(request.header.get("authorization"));
    values.set(callerKey, caller);
    const kind = callKindOf(request.method, rule);
    const clientAddress = clientAddressOf(values);
    countForSource(gate.limits, kind, { caller, message, clientAddress });
    const { siteId, byPublic } = await requireAdmission(gate, rule, caller, message);
    countForSite(gate.limits, kind, siteId);
    if (values.get(browserPageKey)) {
      const site = siteId && (await gate.sites.get(siteId)).site;
      checkPage(values, site, { caller, byPublic, ownOrigin });
    }
    return await next(request);
  };
}

/** How a call was admitted. */
export interface AdmittedTo {
  /** The Site it is about, as far as the caller's own or the public one; else absent. */
  readonly siteId: SiteId | undefined;
  /** Whether only because the Site has public calls. */
  readonly byPublic: boolean;
}

/**
 * Applies a method's rule.
 *
 * @throws {Failure} `credential_invalid`, `access_denied`, `site_not_found`
 */
export async function requireAdmission(
  { sites }: Pick<Gate, "sites">,
  rule: AccessRule,
  caller: Caller,
  message: object,
): Promise<AdmittedTo> {
  switch (admit(rule, caller)) {
    case "admitted":
      return { siteId: "siteId" in caller ? caller.siteId : undefined, byPublic: false };
    case "public":
      return { siteId: await requirePublicSite(sites, caller, message), byPublic: true };
    case "denied":
      throw refusalOf(caller);
  }
}

/** A Site that does not exist looks like one that has no public calls. */
async function requirePublicSite(
  sites: KnownSites,
  caller: Caller,
  message: object,
): Promise<SiteId> {
  const named = "siteId" in message && typeof message.siteId === "string" ? message.siteId : "";
  // Without the Site's name, the caller most likely has forgotten the credential.
  if (named === "" && caller.kind === "anonymous") throw refusalOf(caller);
  const siteId = siteOf(caller, named);
  const known = await sites.get(siteId).catch((error: unknown) => {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  });
  if (!known?.site.publicCalls) throw refusalOf(caller);
  return siteId;
}

function refusalOf(caller: Caller): Failure {
  return new Failure(caller.kind === "anonymous" ? "credential_invalid" : "access_denied");
}
