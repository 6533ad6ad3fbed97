import type { Client } from "@connectrpc/connect";
import {
  type AuthService,
  InvalidTokenReason,
  type ValidateTokenResponse,
} from "../../gen/signet/v1/auth_service_pb.ts";
import type { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import type { RevocationFollower, RevocationStatus } from "./revocation-follower.ts";
import { InvalidTokenError, type TokenProblem, VerifierUnavailableError } from "./token-error.ts";
import {
  createTokenCheck,
  readAudience,
  type TokenCheck,
  type TokenVerifier,
} from "./token-verifier.ts";
import type { CheckedToken, VerifiedToken } from "./verified-token.ts";

/**
 * A verifier that follows revocations: a token is refused within a second of a logout, or of
 * whatever else has ended it.
 *
 * It knows all revocations as long as heartbeats come (every second; it bears 6 s without). Past
 * that it asks ValidateToken about each token. Should that be away, too, it goes on with what it
 * knows until `maxStalenessSeconds` after the last heartbeat, and then refuses with
 * VerifierUnavailableError. What it has heard of is refused in any case.
 */
export interface SiteTokenVerifier extends TokenVerifier, AsyncDisposable {
  /** Whether revocations are heard; begins with the present status, and ends after `closed`. */
  readonly status: AsyncIterable<RevocationStatus>;
  /** What has been done so far. */
  counters(): VerifierCounters;
  /** Stops following revocations; from then on it is like a verifier that cannot hear them. */
  close(): void;
}

/** How often a verifier has done what, since it was made. */
export interface VerifierCounters {
  /** Tokens accepted, by whatever way. */
  readonly accepted: number;
  /** Good tokens refused since they, or what they hang on, have ended. */
  readonly revoked: number;
  /** Questions to ValidateToken. */
  readonly asked: number;
  /** Tokens accepted although neither revocations were heard nor ValidateToken answered. */
  readonly acceptedStale: number;
  /** Tokens refused since that has lasted too long. */
  readonly refusedStale: number;
}

/** What a {@link SiteTokenVerifier} is made of. */
export interface SiteVerifierOptions {
  readonly sites: Client<typeof SiteService>;
  readonly auth: Client<typeof AuthService>;
  /** Where Signet is; the public keys are fetched from there. */
  readonly url: string;
  readonly siteId: string | undefined;
  readonly audience: string | readonly string[];
  readonly maxStalenessSeconds: number;
  /** Absent: revocations are not followed. */
  readonly follower: RevocationFollower | undefined;
}

const ASK_TIMEOUT_MS = 2_000;
/** So long ValidateToken is left alone after it did not answer. */
const AWAY_MS = 1_000;

/**
 * Makes a verifier that asks Signet at first use for the Site's issuer, which may have another
 * address than the one that this client calls.
 *
 * @throws {TypeError} where there is no audience, or the time is not from 0 to a day.
 */
export function createSiteVerifier(options: SiteVerifierOptions): SiteTokenVerifier {
  const { auth, siteId = "", follower } = options;
  const audience = readAudience(options.audience);
  const maxStalenessMs = readStalenessMs(options.maxStalenessSeconds);
  const counters = { accepted: 0, revoked: 0, asked: 0, acceptedStale: 0, refusedStale: 0 };
  let opening: Promise<TokenCheck> | undefined;
  let opened: TokenCheck | undefined;
  let awayUntilMs = Number.NEGATIVE_INFINITY;

  /** The next token asks anew where this fails. */
  async function open(): Promise<TokenCheck> {
    opening ??= openCheck(options, audience);
    try {
      opened = await opening;
      await follower?.start();
      return opened;
    } catch (error) {
      opening = undefined;
      throw new VerifierUnavailableError({ cause: error });
    }
  }

  async function verify(token: string): Promise<VerifiedToken> {
    const { check } = opened ?? (await open());
    const answer = check(token);
    const checked = answer instanceof Promise ? await answer : answer;
    if (follower?.refuses(checked)) return refuse("revoked");
    if (follower && !follower.isCurrent()) await askInstead(follower, token, checked);
    counters.accepted += 1;
    return checked.verified;
  }

  /** Returns if the token may be accepted although revocations are not heard. */
  async function askInstead(
    { staleMs }: RevocationFollower,
    token: string,
    { verified }: CheckedToken,
  ): Promise<void> {
    const problem = await ask(token, verified);
    if (problem === "none") return;
    if (problem !== "away") return refuse(problem);
    if (staleMs() > maxStalenessMs) {
      counters.refusedStale += 1;
      throw new VerifierUnavailableError({}, "revocations have not been heard for too long");
    }
    counters.acceptedStale += 1;
  }

  async function ask(token: string, verified: VerifiedToken): Promise<Answer> {
    if (performance.now() < awayUntilMs) return "away";
    counters.asked += 1;
    const named = verified.audiences.find((name) => audience.includes(name)) ?? "";
    try {
      const request = { siteId, token, audience: named };
      return readAnswer(await auth.validateToken(request, { timeoutMs: ASK_TIMEOUT_MS }));
    } catch {
      awayUntilMs = performance.now() + AWAY_MS;
      return "away";
    }
  }

  function refuse(problem: TokenProblem): never {
    if (problem === "revoked") counters.revoked += 1;
    throw new InvalidTokenError(problem);
  }

  const close = () => follower?.close();
  return {
    verify,
    status: { [Symbol.asyncIterator]: () => follower?.readStatus() ?? readOff() },
    counters: () => ({ ...counters }),
    close,
    [Symbol.asyncDispose]: async () => close(),
  };
}

type Answer = TokenProblem | "none" | "away";

const PROBLEM: Readonly<Record<InvalidTokenReason, TokenProblem>> = {
  [InvalidTokenReason.UNSPECIFIED]: "malformed",
  [InvalidTokenReason.MALFORMED]: "malformed",
  [InvalidTokenReason.EXPIRED]: "expired",
  [InvalidTokenReason.AUDIENCE]: "audience",
  [InvalidTokenReason.REVOKED]: "revoked",
};

function readAnswer({ result }: ValidateTokenResponse): Answer {
  if (result.case === "valid") return "none";
  return result.case === "invalid" ? (PROBLEM[result.value.reason] ?? "malformed") : "away";
}

async function openCheck(
  { sites, siteId = "", url }: SiteVerifierOptions,
  audience: readonly string[],
): Promise<TokenCheck> {
  const { site } = await sites.getSite({ siteId });
  const { id = "", issuer = "" } = site ?? {};
  const jwksUrl = `${url}/sites/${id}/.well-known/jwks.json`;
  return createTokenCheck({ issuer, jwksUrl, audience });
}

const STALENESS_SECONDS_MAX = 86_400;

function readStalenessMs(seconds: number): number {
  if (seconds >= 0 && seconds <= STALENESS_SECONDS_MAX) return seconds * 1_000;
  throw new TypeError(`maxStalenessSeconds must be from 0 to ${STALENESS_SECONDS_MAX}`);
}

async function* readOff(): AsyncGenerator<RevocationStatus, void, undefined> {
  yield { type: "off" };
}
