import { WatchStart, type WatchUsersRequest } from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { parseWatchScope, type WatchScope } from "./watch-scope.ts";

/** What one subscriber asks for. */
export interface Watch {
  readonly caller: Caller;
  readonly siteId: SiteId;
  readonly scope: WatchScope;
  /** Empty: from the start. */
  readonly cursor: string;
  readonly snapshot: boolean;
  /** Names the subscriber among those that limits count together. */
  readonly clientName: string;
  readonly heartbeatSeconds: number;
  /** Aborted when the client has left, or the call has to end. */
  readonly signal: AbortSignal;
}

/** Who calls, and from where, once the call is authorized. */
export interface WatchCall {
  readonly caller: Caller;
  /** Empty: unknown. */
  readonly clientAddress: string;
  readonly signal: AbortSignal;
}

/** A subscriber that was let in. */
export interface OpenedWatch {
  readonly watch: Watch;
  /** Gives its place back, once the stream has ended. */
  readonly release: () => void;
}

const HEARTBEAT_SECONDS_MAX = 15;

/**
 * Does everything that comes before a stream of Users, whichever way the call came in: reads the
 * request and takes one of the caller's places.
 *
 * @throws {Failure} `invalid_field`, `site_not_found`, `too_many_streams`
 */
export async function openWatch(
  { deps, streams }: WatchDeps,
  request: WatchUsersRequest,
  { caller, clientAddress, signal }: WatchCall,
): Promise<OpenedWatch> {
  const siteId = siteOf(caller, request.siteId);
  const scope = parseWatchScope(request.filter, caller);
  const heartbeatSeconds = parseHeartbeat(request.heartbeatSeconds);
  const clientName = subscriberName(caller, request.clientId, clientAddress);
  await deps.sites.get(siteId);
  const watch: Watch = {
    caller,
    siteId,
    scope,
    cursor: request.cursor,
    snapshot: request.start !== WatchStart.HEAD,
    clientName,
    heartbeatSeconds,
    signal,
  };
  return { watch, release: streams.take(siteId, clientName) };
}

/**
 * Names a subscriber by its key and by its own name or address: limits are counted so.
 *
 * @throws {Failure} `invalid_field` for `client_id`
 */
export function subscriberName(caller: Caller, clientId: string, clientAddress: string): string {
  const name = parseText(clientId, "client_id", { max: LIMITS.clientIdLengthMax });
  return [keyName(caller), name || clientAddress].join("/");
}

function keyName(caller: Caller): string {
  if (caller.kind === "site_key") return `${caller.siteId}/${caller.keyId}`;
  return caller.kind === "operator" && caller.keyId ? `operator/${caller.keyId}` : caller.kind;
}

function parseHeartbeat(seconds: number): number {
  if (seconds === 0) return HEARTBEAT_SECONDS_MAX;
  if (seconds >= 1 && seconds <= HEARTBEAT_SECONDS_MAX) return seconds;
  throw invalidField("heartbeat_seconds", `must be from 1 to ${HEARTBEAT_SECONDS_MAX}`);
}
