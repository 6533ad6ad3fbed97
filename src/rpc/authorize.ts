import type { DescMethod } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, type Interceptor } from "@connectrpc/connect";
import type { AccessRule } from "../../gen/signet/v1/access_pb.ts";
import type { Authentication } from "../domain/authentication.ts";
import type { KnownSites } from "../domain/known-sites.ts";
import type { Caller, UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { parseId, type SiteId, type UserId } from "../model/id.ts";
import { admit } from "./access-rules.ts";

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
}

/**
 * Creates the one gate of all RPCs: it finds out who calls and applies the method's access
 * rule before anything else is done. A method without a rule, such as those of health and
 * reflection, which belong to the server, is none of its concern.
 */
export function authorize(gate: Gate): Interceptor {
  return (next) => async (request) => {
    const rule = gate.rules.get(request.method);
    if (!rule) return await next(request);
    const caller = await gate.authentication.authenticate(request.header.get("authorization"));
    request.contextValues.set(callerKey, caller);
    await requireAdmission(gate, rule, caller, request.message);
    return await next(request);
  };
}

/** Applies a method's rule. @throws {Failure} `credential_invalid`, `access_denied` */
export async function requireAdmission(
  { sites }: Gate,
  rule: AccessRule,
  caller: Caller,
  message: object,
): Promise<void> {
  switch (admit(rule, caller)) {
    case "admitted":
      break;
    case "public":
      await requirePublicSite(sites, message);
      break;
    case "denied":
      throw new Failure(caller.kind === "anonymous" ? "credential_invalid" : "access_denied");
  }
}

/** A Site that does not exist looks like one that has no public calls. */
async function requirePublicSite(sites: KnownSites, message: object): Promise<void> {
  const siteId = "siteId" in message && typeof message.siteId === "string" ? message.siteId : "";
  // Without the Site's name, the caller most likely has forgotten the credential.
  if (siteId === "") throw new Failure("credential_invalid");
  const known = await sites.get(parseId<SiteId>(siteId, "site_id")).catch((error: unknown) => {
    if (error instanceof Failure && error.reason === "site_not_found") return undefined;
    throw error;
  });
  if (!known?.site.publicCalls) throw new Failure("credential_invalid");
}
