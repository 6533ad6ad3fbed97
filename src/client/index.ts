/** The client library of Signet: all that a sibling app needs. */

export { Code, ConnectError } from "@connectrpc/connect";
export { Scope } from "../../gen/signet/v1/access_pb.ts";
export {
  Delivery,
  InvalidTokenReason,
  MfaMethod,
  OneTimePurpose,
} from "../../gen/signet/v1/auth_service_pb.ts";
export {
  type Change,
  ChangeKind,
  type Sums,
  type WebhookEvent,
} from "../../gen/signet/v1/change_pb.ts";
export { type ErrorDetail, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
export type { Session, TokenPair } from "../../gen/signet/v1/session_pb.ts";
export { MfaPolicy, SigningAlgorithm, type Site } from "../../gen/signet/v1/site_pb.ts";
export { type User, UserOriginKind, UserState } from "../../gen/signet/v1/user_pb.ts";
export type { AccessOptions } from "./access-check.ts";
export { AccessError, type AccessProblem } from "./access-error.ts";
export { createConnectInterceptor } from "./connect-interceptor.ts";
export { errorDetailOf, reasonOf } from "./errors.ts";
export {
  createExpressMiddleware,
  type ExpressMiddleware,
  type ExpressMiddlewareOptions,
} from "./express-middleware.ts";
export { createFastifyHook, type FastifyHook } from "./fastify-hook.ts";
export type { FrameReader, FrameResult } from "./frame-reader.ts";
export {
  createUserLink,
  type PostgresLinkOptions,
  type SignedInUser,
  type StoredLinkOptions,
  type UserLink,
  type UserLinkOptions,
} from "./link.ts";
export { createPostgresLink, type LinkPlace } from "./link-postgres.ts";
export type { LinkClaim, LinkResult, LinkStorage } from "./link-storage.ts";
export { createMemoryMirror, type MemoryMirror } from "./memory-mirror.ts";
export { MirrorConflictError, MirrorError, MirrorTimeoutError } from "./mirror-error.ts";
export type {
  OwnMirrorStatus,
  PostgresMirrorOptions,
  StoredMirrorOptions,
  UserMirrorCounters,
  UserMirrorMetrics,
  UserMirrorOptions,
  UserMirrorStatus,
  UserVersion,
} from "./mirror-options.ts";
export type {
  ReconcileOptions,
  ReconcileProgress,
  ReconcileRecord,
  ReconcileReport,
  UserDifference,
  UserMirrorEvent,
} from "./mirror-report.ts";
export {
  type AlteredRows,
  type IdRange,
  type LeafRow,
  type MirrorDigests,
  type MirrorPhase,
  type MirrorPlace,
  type MirrorRecord,
  type MirrorRepair,
  type MirrorRules,
  type MirrorState,
  type MirrorStorage,
  type MirrorWrite,
  type MirrorWriter,
  type MoveResult,
  NEW_MIRROR,
  type RowOrigin,
  type RowVersion,
  type WriteResult,
} from "./mirror-storage.ts";
export type { MirrorSums } from "./mirror-sums.ts";
export type { WaitOptions } from "./mirror-waiting.ts";
export type { MirrorConnection, MirrorPool, PooledConnection } from "./postgres-connection.ts";
export { createPostgresMirror, type PostgresMirrorPlace } from "./postgres-mirror.ts";
export { findPrincipal, type Principal, principalOf } from "./principal.ts";
export type { RevocationStatus } from "./revocation-follower.ts";
export {
  createRevocationMirror,
  type RevocationMirror,
  type RevocationMirrorOptions,
  type RevocationMirrorStatus,
} from "./revocation-mirror.ts";
export type { WatchRevocationsOptions } from "./revocation-stream.ts";
export {
  type ClientVerifierOptions,
  createSignetClient,
  type SignetClient,
  type SignetClientOptions,
} from "./signet-client.ts";
export type { SiteTokenVerifier, VerifierCounters } from "./site-verifier.ts";
export type {
  CursorStore,
  SubscribeOptions,
  Subscription,
  SubscriptionFilter,
} from "./subscription.ts";
export type {
  ChangesItem,
  CheckpointItem,
  HelloItem,
  SiteDeletedItem,
  SnapshotEndItem,
  SnapshotPageItem,
  SubscriptionItem,
} from "./subscription-item.ts";
export type { SubscriptionStatus } from "./subscription-status.ts";
export { InvalidTokenError, type TokenProblem, VerifierUnavailableError } from "./token-error.ts";
export {
  createTokenVerifier,
  type TokenIssuer,
  type TokenVerifier,
  type TokenVerifierOptions,
} from "./token-verifier.ts";
export { createUserMirror, type UserMirror } from "./user-mirror.ts";
export type { VerifiedToken } from "./verified-token.ts";
export {
  type ReceivedWebhook,
  type VerifiedWebhook,
  type VerifyWebhookOptions,
  verifyWebhook,
  type WebhookRefusal,
  WebhookVerificationError,
} from "./webhook.ts";
export type { WebhookGap } from "./webhook-gaps.ts";
export {
  createWebhookHandler,
  type WebhookHandler,
  type WebhookHandlerOptions,
} from "./webhook-handler.ts";
export {
  type UserConnection,
  type UserPool,
  type UserTransaction,
  withUser,
} from "./with-user.ts";
