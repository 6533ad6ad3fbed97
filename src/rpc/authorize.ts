import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, type Interceptor } from "@connectrpc/connect";
import type { AccessRule } from "../../gen/signet/v1/access_pb.ts";
import { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { UserService } from "../../gen/signet/v1/user_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import { type Authentication, noCredential } from "../domain/authentication.ts";
import type { CallLimits } from "../domain/call-limits.ts";
import type { KnownSites } from "../domain/known-sites.ts";
import type { Caller, UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId, type UserId } from "../model/id.ts";
import { admit } from "./access-rules.ts";
import { browserPageKey, checkPage } from "./browser-page.ts";
import { clientAddressOf } from "./client-address.ts";
import { hostedPageKey } from "./hosted-page.ts";
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
  const admit = createAuthorization(gate);
  return (next) => async (request) => {
    const rule = gate.rules.get(request.method);
    if (!rule) return await next(request);
    const { method, contextValues: values, message, header } = request;
    await admit(rule, { method, values, message, authorization: header.get("authorization") });
    return await next(request);
  };
}

/** A call of which nothing is known yet but what it says. */
export interface UnknownCall {
  readonly method: DescMethod;
  readonly authorization: string | null;
  readonly values: ContextValues;
  readonly message: object;
}

/**
 * Creates the gate itself, for calls that come in without interceptors too. The caller is among
 * the call's values as soon as it is known, also where it is refused afterwards.
 *
 * @throws {Failure} `credential_invalid`, `access_denied`, `site_not_found`, `rate_limited`
 */
export function createAuthorization(
  gate: Gate,
): (rule: AccessRule, call: UnknownCall) => Promise<void> {
  const ownOrigin = new URL(gate.publicUrl).origin;
  const kinds = new Map(
    [...gate.rules].map(([method, rule]) => [method, callKindOf(method, rule)]),
  );
  return async (rule, { method, authorization, values, message }) => {
    const found = gate.authentication.authenticate(authorization);
    const caller = found instanceof Promise ? await found : found;
    values.set(callerKey, caller);
    const kind = kinds.get(method);
    const clientAddress = clientAddressOf(values);
    countForSource(gate.limits, kind, { caller, message, clientAddress });
    const admitted = requireAdmission(gate, rule, caller, { message, values });
    const { siteId, byPublic } = admitted instanceof Promise ? await admitted : admitted;
    if (caller.kind === "operator") await requireNamedSite(gate, method, message);
    countForSite(gate.limits, kind, siteId);
    if (values.get(browserPageKey)) {
      const site = siteId && (await gate.sites.get(siteId)).site;
      checkPage(values, site, { caller, byPublic, ownOrigin });
    }
  };
}

/** What an operator may still ask of a Site that is deleted. */
const OF_DELETED_SITES: readonly DescMethod[] = [
  SiteService.method.deleteSite,
  UserService.method.listAuditEvents,
];

/** Others act on their own Site, which exists. @throws {Failure} `site_not_found` */
async function requireNamedSite(
  { sites }: Pick<Gate, "sites">,
  method: DescMethod,
  message: object,
): Promise<void> {
  if (OF_DELETED_SITES.includes(method)) return;
  const named = namedSite(message);
  if (named !== "") await sites.get(parseId<SiteId>(named, "site_id"));
}

function namedSite(message: object): string {
  return "siteId" in message && typeof message.siteId === "string" ? message.siteId : "";
}

/** How a call was admitted. */
interface AdmittedTo {
  /** The Site it is about, as far as the caller's own or the public one; else absent. */
  readonly siteId: SiteId | undefined;
  /** Whether only because the Site has public calls, or a page of Signet's makes them. */
  readonly byPublic: boolean;
}

/**
 * Applies a method's rule.
 *
 * @throws {Failure} `credential_invalid`, `access_denied`, `site_not_found`
 */
function requireAdmission(
  { sites }: Pick<Gate, "sites">,
  rule: AccessRule,
  caller: Caller,
  call: Pick<UnknownCall, "message" | "values">,
): AdmittedTo | Promise<AdmittedTo> {
  switch (admit(rule, caller)) {
    case "admitted":
      return { siteId: "siteId" in caller ? caller.siteId : undefined, byPublic: false };
    case "public":
      return requirePublicSite(sites, caller, call);
    case "denied":
      throw refusalOf(caller);
  }
}

/** A Site that does not exist looks like one that has no public calls. */
async function requirePublicSite(
  sites: KnownSites,
  caller: Caller,
  { message, values }: Pick<UnknownCall, "message" | "values">,
): Promise<AdmittedTo> {
  const named = namedSite(message);
  // Without the Site's name, the caller most likely has forgotten the credential.
  if (named === "" && caller.kind === "anonymous") throw refusalOf(caller);
  const siteId = siteOf(caller, named);
  const known = await sites.get(siteId).catch((error: unknown) => {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  });
  const isOpen = known && (known.site.publicCalls || values.get(hostedPageKey));
  if (!isOpen) throw refusalOf(caller);
  return { siteId, byPublic: true };
}

function refusalOf(caller: Caller): Failure {
  if (caller.kind === "anonymous") return noCredential("is missing from the headers");
  return new Failure("access_denied");
}
