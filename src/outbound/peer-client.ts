import { timestampDate } from "@bufbuild/protobuf/wkt";
import { MfaMethod } from "../../gen/signet/v1/auth_service_pb.ts";
import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import type { Client } from "../model/caller.ts";
import { LIMITS } from "../model/limits.ts";
import type { PeerCheck, PeerConfig, PeerUser } from "../model/peer.ts";
import { type Secret, secret } from "../model/secret.ts";
import type { UserRef } from "../model/user.ts";
import { type PeerPage, type PeerPlace, readPeerPage } from "./peer-changes.ts";
import { callPeer, PeerError, PeerRefusal } from "./peer-post.ts";
import { readPeerUser } from "./peer-user.ts";

const { checkPeer, completePeerMfa, verifyPeerLogin } = SyncService.method;

/** A login that a Peer is asked about. */
export interface PeerLogin {
  readonly identifier: Extract<UserRef, { readonly by: "email" | "username" }>;
  readonly password: Secret;
  readonly client: Client;
}

/** What a Peer says of it. */
export type PeerAnswer =
  | { readonly outcome: "user"; readonly user: PeerUser }
  | { readonly outcome: "challenge"; readonly token: Secret; readonly expireTime: Date }
  | { readonly outcome: "refused"; readonly isUnverified: boolean };

/** A code that a Peer is to check. */
export interface PeerCode {
  readonly challengeToken: Secret;
  readonly code:
    | { readonly case: "totpCode"; readonly value: string }
    | { readonly case: "recoveryCode"; readonly value: string };
  readonly client: Client;
}

/** Calls Peers. Every call throws `PeerError` where the Peer has not answered as it should. */
export interface PeerClient {
  check(peer: PeerConfig): Promise<PeerCheck>;
  verifyLogin(peer: PeerConfig, login: PeerLogin, timeoutMs: number): Promise<PeerAnswer>;
  /** Returns undefined for a code or a challenge that is no good. */
  completeMfa(peer: PeerConfig, code: PeerCode): Promise<PeerUser | undefined>;
  /** Returns undefined where the cursor is good no more. */
  readPage(peer: PeerConfig, place: PeerPlace): Promise<PeerPage | undefined>;
}

const TOKEN_LENGTH_MAX = 256;

/** Creates the way out to Peers. Hosts of one's own may be private, and without TLS. */
export function createPeerClient(internalHosts: readonly string[]): PeerClient {
  const call = {
    internalHosts,
    timeoutMs: LIMITS.peerTimeoutMs,
    bytesMax: LIMITS.peerAnswerBytesMax,
  };
  return {
    async check(peer) {
      const answer = await callPeer(peer, checkPeer, {}, call).catch(asInvalid);
      const isKeySite = answer.siteId === peer.peerSiteId;
      if (!isKeySite || !answer.serverTime) throw new PeerError("answer_invalid");
      const { siteId, siteName, userFields, sync } = answer;
      return { siteId, siteName, userFields, sync, serverTime: timestampDate(answer.serverTime) };
    },

    async verifyLogin(peer, { identifier, password, client }, timeoutMs) {
      const value = identifier.by === "email" ? identifier.email : identifier.username;
      const request = {
        identifier: { case: identifier.by, value },
        password: password.reveal(),
        client: toDevice(client),
      };
      const answer = await callPeer(peer, verifyPeerLogin, request, { ...call, timeoutMs }).catch(
        toRefused,
      );
      if ("outcome" in answer) return answer;
      return readVerified(peer, answer.result);
    },

    async completeMfa(peer, { challengeToken, code, client }) {
      const request = {
        challengeToken: challengeToken.reveal(),
        code,
        client: toDevice(client),
      };
      const answer = await callPeer(peer, completePeerMfa, request, call).catch(toRefused);
      return "outcome" in answer ? undefined : readPeerUser(peer, answer.user);
    },

    readPage: (peer, place) => readPeerPage(peer, internalHosts, place),
  };
}

/** The token of a device means nothing over there. */
function toDevice({ ip, userAgent }: Client) {
  return { ip, userAgent };
}

type Verified = Awaited<
  ReturnType<typeof callPeer<typeof verifyPeerLogin.input, typeof verifyPeerLogin.output>>
>;

function readVerified(peer: PeerConfig, result: Verified["result"]): PeerAnswer {
  switch (result.case) {
    case "user":
      return { outcome: "user", user: readPeerUser(peer, result.value) };
    case "mfaChallenge": {
      const { challengeToken: token, expireTime, methods } = result.value;
      const isToken = token !== "" && token.length <= TOKEN_LENGTH_MAX;
      const isKnown = methods.includes(MfaMethod.TOTP);
      if (!isToken || !isKnown || !expireTime) throw new PeerError("answer_invalid");
      return { outcome: "challenge", token: secret(token), expireTime: timestampDate(expireTime) };
    }
    case undefined:
      throw new PeerError("answer_invalid");
  }
}

/** Refusals that say something of the person; all others say that the two do not fit together. */
function toRefused(error: unknown) {
  if (!(error instanceof PeerRefusal)) throw error;
  const refused = (isUnverified: boolean) => ({ outcome: "refused", isUnverified }) as const;
  if (error.reason === ErrorReason.EMAIL_UNVERIFIED) return refused(true);
  const { LOGIN_FAILED, MFA_NOT_ENROLLED } = ErrorReason;
  if (error.reason === LOGIN_FAILED || error.reason === MFA_NOT_ENROLLED) return refused(false);
  throw new PeerError("answer_invalid", { cause: error });
}

function asInvalid(error: unknown): never {
  if (!(error instanceof PeerRefusal)) throw error;
  throw new PeerError("answer_invalid", { cause: error });
}
