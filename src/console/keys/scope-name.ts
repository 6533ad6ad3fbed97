import { Scope } from "../../../gen/signet/v1/access_pb.ts";
import { nameOf, namesOf } from "../parts/enum-name.ts";

/** Writes a scope as the documents do, such as `users.read`. */
export function scopeName(scope: Scope): string {
  return nameOf(Scope, scope).toLowerCase().replace("_", ".");
}

/** All scopes that a person can give by this console. */
export const SCOPES: readonly Scope[] = namesOf(Scope).map((name) => Scope[name]);

/** What only an operator gives: by these a key takes accounts over, or speaks for a Peer. */
export const OPERATOR_SCOPES: readonly Scope[] = [Scope.AUTH_TOKENS, Scope.PEER];
