import { Failure } from "../model/failure.ts";
import type {
  Identity,
  ProxiedRequest,
  ProxyVerdict,
  RouteRequirements,
} from "../model/proxied-request.ts";

/** What a proxy is told, whichever protocol it asks by. */
export interface ProxyAnswer {
  /** 200: the request may pass. Else what its sender is to be answered. */
  readonly status: 200 | 302 | 400 | 401 | 403 | 503;
  /**
   * With 200 those for the app behind the proxy, where an empty one stands for one that must not
   * be there; else those for the sender.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** Why the request may not pass, in one word; empty where it may. */
  readonly error: string;
}

/**
 * Answers a proxy. `requirements` reads what the route asks, and may fail with `invalid_field`; for
 * the rest, only bugs are thrown.
 */
export type AnswerProxy = (
  request: ProxiedRequest,
  requirements: () => RouteRequirements,
) => Promise<ProxyAnswer>;

/** What {@link createProxyAnswers} needs. */
export interface ProxyAnswersOptions {
  readonly judge: (
    request: ProxiedRequest,
    requirements: RouteRequirements,
  ) => Promise<ProxyVerdict>;
  /** Until the log has been read once, nothing is known of revocations. */
  readonly isStarted: () => boolean;
}

/** The headers of an identity; each stands in every answer that lets a request pass. */
export const IDENTITY_HEADERS = [
  "x-user-id",
  "x-user-email",
  "x-user-role",
  "x-site-id",
  "x-identity-token",
] as const;

const NOT_STORED = { "cache-control": "no-store" };
const RETRY = { ...NOT_STORED, "retry-after": "1" };
const UNAVAILABLE: ProxyAnswer = { status: 503, headers: RETRY, error: "unavailable" };

/** RFC 6750 §3. */
const CHALLENGE = 'Bearer realm="signet"';
const DENIED: ProxyAnswer = {
  status: 403,
  headers: { ...NOT_STORED, "www-authenticate": `${CHALLENGE}, error="insufficient_scope"` },
  error: "access_denied",
};

/** Creates what answers proxies, by the same rules for all protocols. */
export function createProxyAnswers({ judge, isStarted }: ProxyAnswersOptions): AnswerProxy {
  return async (request, requirements) => {
    if (!isStarted()) return UNAVAILABLE;
    try {
      return toAnswer(await judge(request, requirements()));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.reason !== "invalid_field") return UNAVAILABLE;
      const { field, problem } = error.metadata;
      return { status: 400, headers: NOT_STORED, error: `${field} ${problem}` };
    }
  };
}

function toAnswer(verdict: ProxyVerdict): ProxyAnswer {
  switch (verdict.kind) {
    case "passed":
      return { status: 200, headers: identityHeaders(verdict.identity), error: "" };
    case "denied":
      return DENIED;
    case "unknown":
      return toRefusal(verdict.hasCredential, verdict.loginUrl);
  }
}

function toRefusal(hasCredential: boolean, loginUrl: string | undefined): ProxyAnswer {
  const error = hasCredential ? "token_invalid" : "token_missing";
  if (loginUrl !== undefined) {
    return { status: 302, headers: { ...NOT_STORED, location: loginUrl }, error };
  }
  // Without a token, RFC 6750 §3.1 asks for no error.
  const challenge = hasCredential ? `${CHALLENGE}, error="invalid_token"` : CHALLENGE;
  return { status: 401, headers: { ...NOT_STORED, "www-authenticate": challenge }, error };
}

function identityHeaders(identity: Identity): Record<string, string> {
  const [userId, email, role, siteId, token] = IDENTITY_HEADERS;
  return {
    ...NOT_STORED,
    [userId]: identity.userId,
    [email]: headerValue(identity.email),
    [role]: headerValue(identity.roles.join(",")),
    [siteId]: identity.siteId,
    [token]: identity.token,
  };
}

/** Percent-encodes what a header cannot hold, and `%` itself, so that it can be decoded again. */
function headerValue(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]+/g, encodeURIComponent);
}
