import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { type AccessRule, access, Scope as ScopeMessage } from "../../gen/signet/v1/access_pb.ts";
import { type Caller, SCOPES, type Scope } from "../model/caller.ts";

/** The scopes as they are stored and shown, and their numbers on the wire. */
const NUMBER: Readonly<Record<Scope, ScopeMessage>> = {
  auth: ScopeMessage.AUTH,
  "auth.tokens": ScopeMessage.AUTH_TOKENS,
  "users.read": ScopeMessage.USERS_READ,
  "users.write": ScopeMessage.USERS_WRITE,
  sync: ScopeMessage.SYNC,
  "site.admin": ScopeMessage.SITE_ADMIN,
  peer: ScopeMessage.PEER,
};

/** Returns the scope of a number on the wire; undefined if there is none. */
export function scopeFromMessage(scope: ScopeMessage): Scope | undefined {
  return SCOPES.find((name) => NUMBER[name] === scope);
}

/** Returns the number on the wire of a scope. */
export function scopeToMessage(scope: Scope): ScopeMessage {
  return NUMBER[scope];
}

/** How a caller comes to be admitted. */
export type Admission = "admitted" | "public" | "denied";

/**
 * Reads the access rules of all methods from their descriptors.
 *
 * @throws {Error} naming the methods that have none: the server does not start with one.
 */
export function readAccessRules(services: readonly DescService[]): Map<DescMethod, AccessRule> {
  const methods = services.flatMap((service) => service.methods);
  const open = methods.filter((method) => !hasOption(method, access));
  if (open.length > 0) {
    const names = open.map((method) => `${method.parent.typeName}.${method.name}`).join(", ");
    throw new Error(`methods without an access rule: ${names}`);
  }
  return new Map(methods.map((method) => [method, getOption(method, access)]));
}

/**
 * Applies a rule to a caller. `public` means: if the Site allows public calls. A User may make
 * those of its own Site too: a browser that is signed in sends its token with every call.
 */
export function admit(rule: AccessRule, caller: Caller): Admission {
  if (rule.anyone) return "admitted";
  switch (caller.kind) {
    case "anonymous":
      return rule.public ? "public" : "denied";
    case "operator":
      return rule.operator ? "admitted" : "denied";
    case "site_key":
      return caller.scopes.some((scope) => rule.scopes.includes(NUMBER[scope]))
        ? "admitted"
        : "denied";
    case "user":
      if (rule.user || (rule.admin && caller.roles.includes("admin"))) return "admitted";
      return rule.public ? "public" : "denied";
  }
}
