import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
  type Transport,
} from "@connectrpc/connect";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { AuthService, InvalidTokenReason } from "../../../gen/signet/v1/auth_service_pb.ts";
import type { RevocationSchema } from "../../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import { SiteService } from "../../../gen/signet/v1/site_service_pb.ts";
import {
  SyncService,
  type WatchRevocationsRequest,
  type WatchRevocationsResponseSchema,
} from "../../../gen/signet/v1/sync_service_pb.ts";
import { createRevocationFollower } from "../../../src/client/revocation-follower.ts";
import { createSiteVerifier, type SiteTokenVerifier } from "../../../src/client/site-verifier.ts";
import { refusal } from "./watch-server.ts";

/** What the server of the test does; a test may change it at any time. */
export interface Behaviour {
  /** Whether calls and streams are answered. */
  away: boolean;
  /** Whether the stream is refused with ACCESS_DENIED. */
  denied: boolean;
  /** Whether ValidateToken says that a token is revoked. */
  revoked: boolean;
  /** Whether heartbeats are sent, every 20 ms. */
  beating: boolean;
}

/** One Site of a Signet that does as it is told. */
export interface VerifierSignet extends AsyncDisposable {
  readonly behaviour: Behaviour;
  readonly streams: readonly WatchRevocationsRequest[];
  /** How often ValidateToken was asked. */
  asked(): number;
  sign(claims?: object): Promise<string>;
  /** Sends a revocation to the streams that are open, or that open later. */
  revoke(subject: RevocationSubject): void;
  verifier(options?: VerifierSettings): SiteTokenVerifier;
}

/** What ends. */
export type RevocationSubject = NonNullable<MessageInitShape<typeof RevocationSchema>["subject"]>;

/** How to follow; by default as a client does that is told nothing. */
export interface VerifierSettings {
  readonly optional?: boolean;
  readonly maxStalenessSeconds?: number;
}

type Frame = NonNullable<MessageInitShape<typeof WatchRevocationsResponseSchema>["frame"]>;

const SITE_ID = "0198c1f0-0000-7000-8000-000000000001";
/** Whom its tokens are of. */
export const USER_ID = "0198c1f0-0000-7000-8000-000000000002";
/** The Session that they belong to. */
export const SESSION_ID = "0198c1f0-0000-7000-8000-000000000003";
/** The key that has signed them. */
export const KEY_ID = "0198c1f0-0000-7000-8000-000000000005";
const BEAT_MS = 20;
/** Three of these are the lease. */
const HEARTBEAT_MS = 250;

/** Starts the public keys on loopback; calls and streams stay in memory. */
export async function startVerifierSignet(): Promise<VerifierSignet> {
  const behaviour: Behaviour = { away: false, denied: false, revoked: false, beating: true };
  const subjects: RevocationSubject[] = [];
  const streams: WatchRevocationsRequest[] = [];
  const keys = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: KEY_ID, alg: "ES256", use: "sig" };
  const jwks = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })));
  await new Promise<void>((resolve) => {
    jwks.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(jwks.address() as AddressInfo).port}`;
  const issuer = `${url}/sites/${SITE_ID}`;
  const ending = new AbortController();
  let asked = 0;

  async function* watch(request: WatchRevocationsRequest, signal: AbortSignal) {
    streams.push(request);
    if (behaviour.denied) throw refusal(Code.PermissionDenied, ErrorReason.ACCESS_DENIED);
    yield { frame: { case: "hello", value: { heartbeatMs: HEARTBEAT_MS } } as Frame };
    for (let sent = 0; !signal.aborted && !ending.signal.aborted; ) {
      if (behaviour.away) throw new ConnectError("away", Code.Unavailable);
      const revocations = subjects.slice(sent).map((subject) => ({ subject }));
      sent = subjects.length;
      const cursor = `c${sent}`;
      const batch: Frame = { case: "revocationBatch", value: { revocations, cursor } };
      if (revocations.length > 0) yield { frame: batch };
      if (behaviour.beating) yield { frame: { case: "heartbeat", value: { cursor } } as Frame };
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
    }
  }

  const transport: Transport = createRouterTransport((router) => {
    router.rpc(SiteService.method.getSite, () => ({ site: { id: SITE_ID, issuer } }));
    router.rpc(AuthService.method.validateToken, () => {
      asked++;
      if (behaviour.away) throw new ConnectError("away", Code.Unavailable);
      if (!behaviour.revoked) return { result: { case: "valid" as const, value: {} } };
      const value = { reason: InvalidTokenReason.REVOKED };
      return { result: { case: "invalid" as const, value } };
    });
    router.rpc(SyncService.method.watchRevocations, (request, { signal }) =>
      watch(request, signal),
    );
  });
  return {
    behaviour,
    streams,
    asked: () => asked,
    revoke: (subject) => subjects.push(subject),
    async sign(more = {}) {
      const seconds = Math.floor(Date.now() / 1_000);
      const times = { auth_time: seconds, iat: seconds, exp: seconds + 900 };
      const who = { iss: issuer, aud: "shop", sub: USER_ID, sid: SESSION_ID, gen: 4 };
      const jwt = new SignJWT({ ...who, roles: [], amr: ["pwd"], jti: "j", ...times, ...more });
      const header = { alg: "ES256", kid: KEY_ID, typ: "at+jwt" };
      return jwt.setProtectedHeader(header).sign(keys.privateKey);
    },
    verifier({ optional = true, maxStalenessSeconds = 300 } = {}) {
      const follower = createRevocationFollower({
        openTransport: () => ({ ...transport, close: () => {} }),
        siteId: undefined,
        signal: ending.signal,
        optional,
      });
      const sites = createClient(SiteService, transport);
      const auth = createClient(AuthService, transport);
      const place = { sites, auth, url, siteId: undefined, audience: "shop" };
      return createSiteVerifier({ ...place, maxStalenessSeconds, follower });
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      jwks.closeAllConnections();
      await new Promise((resolve) => {
        jwks.close(resolve);
      });
    },
  };
}
