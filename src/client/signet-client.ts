import { type Client, createClient } from "@connectrpc/connect";
import { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { SyncService, type WatchRevocationsResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import { UserService } from "../../gen/signet/v1/user_service_pb.ts";
import type { FrameReader } from "./frame-reader.ts";
import { readKey } from "./interceptors.ts";
import { createRevocationFollower } from "./revocation-follower.ts";
import { openRevocationStream, type WatchRevocationsOptions } from "./revocation-stream.ts";
import { createSiteVerifier, type SiteTokenVerifier } from "./site-verifier.ts";
import type { SubscribeOptions, Subscription } from "./subscription.ts";
import { createClientTransport, createStreamTransport } from "./transport.ts";
import { subscribeToUsers } from "./user-subscriber.ts";

/** How to reach Signet, and as whom. */
export interface SignetClientOptions {
  /**
   * Where Signet is: an `http://` or `https://` address, reached by HTTP/2 (over `http://` with
   * prior knowledge). Further authorities are trusted by Node's NODE_EXTRA_CA_CERTS.
   */
  readonly url: string;
  /**
   * A site key or an operator key; a function is asked at each call, so that a key can be
   * replaced. White space around it is left out. A call that brings an `authorization` header of
   * its own, such as a User's access token, is made with that.
   */
  readonly key: string | (() => string);
  /** The Site for `subscribe` and `tokenVerifier`. Needed with an operator key only. */
  readonly siteId?: string | undefined;
  /** What is spoken on the wire; default `connect`. */
  readonly protocol?: "connect" | "grpc" | undefined;
  /** How long a unary call may take, retries included, in milliseconds; default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** Signet, as a program sees it. One for the whole program is enough. */
export interface SignetClient {
  /**
   * The services of Signet. Refusals are ConnectErrors, whose reason `reasonOf` tells; a lost
   * connection is UNAVAILABLE, and a call that takes too long DEADLINE_EXCEEDED.
   *
   * A unary call that may be repeated by the contract (IDEMPOTENT, NO_SIDE_EFFECTS) is tried at
   * most three times while it ends with UNAVAILABLE, after up to 0.1 and 0.2 s. Streams have no
   * deadline and no retry, and run on until their end: give them a signal to leave them sooner.
   */
  readonly auth: Client<typeof AuthService>;
  readonly sites: Client<typeof SiteService>;
  readonly users: Client<typeof UserService>;
  readonly sync: Client<typeof SyncService>;
  /** Follows the Users of the Site: snapshot, then every Change, over lost connections. */
  subscribe(options?: SubscribeOptions): Subscription;
  /**
   * Checks access tokens of the Site locally, and follows revocations. One for the whole program:
   * it keeps public keys, tokens and revocations, and Signet allows few streams to each program.
   */
  tokenVerifier(options: ClientVerifierOptions): SiteTokenVerifier;
  /**
   * Streams Revocations over one connection, for whoever keeps them somewhere, such as
   * createRevocationMirror. A program that checks tokens itself wants `tokenVerifier` instead.
   */
  watchRevocations(options: WatchRevocationsOptions): FrameReader<WatchRevocationsResponse>;
  /** Ends all connections, with the calls and subscriptions on them. */
  close(): void;
}

/** For whom access tokens must be, and how soon their end must be known. */
export interface ClientVerifierOptions {
  /** A token names at least one of these. Usually the name of this app. */
  readonly audience: string | readonly string[];
  /**
   * Whether to follow revocations, for which a key needs the scope `sync` or `auth`. Default: if
   * the key may. With `true` a key that may not has ValidateToken asked about each token.
   */
  readonly revocations?: boolean | undefined;
  /**
   * How long a good token is accepted while neither revocations are heard nor ValidateToken
   * answers, in seconds, 0 to 86,400; default 300. Afterwards all are refused.
   */
  readonly maxStalenessSeconds?: number | undefined;
}

/**
 * Makes a client of Signet. It connects when the first call is made.
 *
 * @throws {TypeError} where the address is no `http://` or `https://` URL, or the key has a
 *   character that no key has.
 */
export function createSignetClient(options: SignetClientOptions): SignetClient {
  const url = readUrl(options.url);
  if (typeof options.key === "string") readKey(options.key);
  const protocol = options.protocol ?? "connect";
  const transportOptions = { url, key: options.key, protocol };
  const transport = createClientTransport(transportOptions, options.timeoutMs ?? TIMEOUT_MS);
  const auth = createClient(AuthService, transport);
  const sites = createClient(SiteService, transport);
  const closing = new AbortController();
  return {
    auth,
    sites,
    users: createClient(UserService, transport),
    sync: createClient(SyncService, transport),
    subscribe({ siteId = options.siteId, ...subscribeOptions } = {}) {
      const openTransport = () => createStreamTransport(transportOptions);
      return subscribeToUsers(openTransport, closing.signal, { siteId, ...subscribeOptions });
    },
    tokenVerifier({ audience, revocations, maxStalenessSeconds = MAX_STALENESS_SECONDS }) {
      const follower =
        revocations === false
          ? undefined
          : createRevocationFollower({
              openTransport: () => createStreamTransport(transportOptions),
              siteId: options.siteId,
              signal: closing.signal,
              optional: revocations === undefined,
            });
      const { siteId } = options;
      const parts = { sites, auth, url, siteId, audience, maxStalenessSeconds, follower };
      return createSiteVerifier(parts);
    },
    watchRevocations({ siteId = options.siteId, signal, ...watchOptions }) {
      const ending = AbortSignal.any([closing.signal, signal]);
      const request = { siteId, ...watchOptions, signal: ending };
      return openRevocationStream(createStreamTransport(transportOptions), request);
    },
    close() {
      closing.abort();
      transport.close();
    },
  };
}

const TIMEOUT_MS = 10_000;
const MAX_STALENESS_SECONDS = 300;

function readUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new TypeError(`${text} is not an http:// or https:// URL`);
  }
  return text.replace(/\/+$/, "");
}
