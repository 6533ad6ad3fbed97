import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AuthService, type RefreshTokenResponse } from "../../../gen/signet/v1/auth_service_pb.ts";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import type { TokenPair } from "../../../gen/signet/v1/session_pb.ts";
import { millisecondsOf } from "../parts/moment.ts";
import { reasonOf } from "../parts/refusal.ts";
import type { Tokens } from "./caller.ts";
import type { Proof } from "./proof.ts";
import type { Session } from "./session.ts";

/** No unary call lasts longer; streams have no limit here. */
const CALL_MS_MAX = 30_000;

/** Connects without a credential, for calls that anyone may make. */
export function createPublicTransport(): Transport {
  return createConnectTransport({
    baseUrl: window.location.origin,
    useBinaryFormat: true,
    defaultTimeoutMs: CALL_MS_MAX,
  });
}

/** Connects with the credential of a Session, and repeats a call once where that is renewed. */
export function createCallerTransport(session: Session, proof: Proof): Transport {
  return createConnectTransport({
    baseUrl: window.location.origin,
    useBinaryFormat: true,
    defaultTimeoutMs: CALL_MS_MAX,
    interceptors: [asCaller(session, proof)],
  });
}

/** Gets new tokens of an admin's Session. */
export async function renewTokens(siteId: string, refreshToken: string): Promise<Tokens> {
  const auth = createClient(AuthService, createPublicTransport());
  const { tokens }: RefreshTokenResponse = await auth.refreshToken({ siteId, refreshToken });
  return tokensOf(tokens);
}

/** Reads the tokens of an answer. */
export function tokensOf(tokens: TokenPair | undefined): Tokens {
  return {
    accessToken: tokens?.accessToken ?? "",
    accessTokenExpireMs: millisecondsOf(tokens?.accessTokenExpireTime) ?? 0,
    refreshToken: tokens?.refreshToken ?? "",
  };
}

function asCaller(session: Session, proof: Proof): Interceptor {
  /** Tells whether the call may be made again, with the credential as it is now. */
  async function isRemedied(error: unknown): Promise<boolean> {
    const reason = reasonOf(error);
    if (reason === ErrorReason.RECENT_LOGIN_REQUIRED) return await proof.ask();
    if (reason !== ErrorReason.CREDENTIAL_INVALID) return false;
    const before = session.state().caller;
    if (await session.renew()) return true;
    if (session.state().caller === before) session.end("expired");
    return false;
  }

  return (next) => async (request) => {
    const authorize = async (): Promise<void> => {
      const credential = await session.credential();
      if (credential !== undefined) request.header.set("authorization", `Bearer ${credential}`);
    };
    await authorize();
    try {
      return await next(request);
    } catch (error) {
      if (!(await isRemedied(error))) throw error;
      await authorize();
      return await next(request);
    }
  };
}
