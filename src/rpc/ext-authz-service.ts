import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type { HeaderValueOptionSchema } from "../../gen/envoy/config/core/v3/base_pb.ts";
import type {
  AttributeContext_HttpRequest,
  AttributeContext_Request,
} from "../../gen/envoy/service/auth/v3/attribute_context_pb.ts";
import type {
  Authorization,
  CheckResponseSchema,
} from "../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import { StatusCode } from "../../gen/envoy/type/v3/http_status_pb.ts";
import type { ProxiedRequest } from "../model/proxied-request.ts";
import { type AnswerProxy, IDENTITY_HEADERS, type ProxyAnswer } from "./proxy-answer.ts";
import { parseRequirements } from "./route-requirements.ts";

type CheckResponse = MessageInitShape<typeof CheckResponseSchema>;
type HttpResponse = NonNullable<CheckResponse["httpResponse"]>;

/** The code by which Envoy decides, and the status that it answers with. */
const CODES: Readonly<Record<ProxyAnswer["status"], readonly [number, StatusCode]>> = {
  200: [0, StatusCode.OK],
  302: [Code.Unauthenticated, StatusCode.Found],
  400: [Code.InvalidArgument, StatusCode.BadRequest],
  401: [Code.Unauthenticated, StatusCode.Unauthorized],
  403: [Code.PermissionDenied, StatusCode.Forbidden],
  503: [Code.Unavailable, StatusCode.ServiceUnavailable],
};

/**
 * Implements `envoy.service.auth.v3.Authorization`, by the rules of `/forward-auth`.
 *
 * What a route asks stands in its `context_extensions`, never in the request's own query.
 */
export function extAuthzService(answerProxy: AnswerProxy): ServiceImpl<typeof Authorization> {
  return {
    async check({ attributes }) {
      const entries = Object.entries(attributes?.contextExtensions ?? {});
      const request = toProxied(attributes?.request);
      return toResponse(await answerProxy(request, () => parseRequirements(entries)));
    },
  };
}

/** Unlike a client, Envoy says by itself where a request was going. */
function toProxied(request: AttributeContext_Request | undefined): ProxiedRequest {
  const http = request?.http;
  return {
    authorizations: http ? valuesOf("authorization", http) : [],
    cookies: http ? valuesOf("cookie", http).join("; ") : "",
    method: http?.method ?? "",
    accept: http ? valuesOf("accept", http).join(",") : "",
    target: { scheme: http?.scheme ?? "", host: http?.host ?? "", path: http?.path ?? "" },
  };
}

/** Envoy gives headers in one form or the other; names are in lower case in both. */
function valuesOf(name: string, { headers, headerMap }: AttributeContext_HttpRequest): string[] {
  const listed = headerMap?.headers ?? [];
  const raw = listed
    .filter(({ key }) => key.toLowerCase() === name)
    .map(({ value, rawValue }) => value || Buffer.from(rawValue).toString("latin1"));
  const joined = headers[name];
  return joined === undefined ? raw : [joined, ...raw];
}

function toResponse(answer: ProxyAnswer): CheckResponse {
  const status = { code: CODES[answer.status][0], message: answer.error };
  return {
    status,
    httpResponse: answer.status === 200 ? toPassed(answer) : toDenied(answer),
  };
}

/** What is empty is not sent but taken away, since Envoy may not replace a header by nothing. */
function toPassed({ headers }: ProxyAnswer): HttpResponse {
  const given = IDENTITY_HEADERS.filter((name) => headers[name] !== "");
  const absent = IDENTITY_HEADERS.filter((name) => headers[name] === "");
  return {
    case: "okResponse",
    value: {
      headers: given.map((name) => replacing(name, headers[name] ?? "")),
      headersToRemove: [...absent, ...ALIASES],
    },
  };
}

function toDenied({ status, headers, error }: ProxyAnswer): HttpResponse {
  const all = { ...headers, "content-type": "application/json" };
  return {
    case: "deniedResponse",
    value: {
      status: { code: CODES[status][1] },
      headers: Object.entries(all).map(([name, value]) => replacing(name, value)),
      body: JSON.stringify({ error }),
    },
  };
}

function replacing(key: string, value: string): MessageInitShape<typeof HeaderValueOptionSchema> {
  return { header: { key, value }, append: false };
}

/** Other names that an app may read as the same, as WSGI and CGI do with underscores. */
const ALIASES = IDENTITY_HEADERS.flatMap((name) => {
  const [first, second, third] = name.split("-");
  const separators = ["-", "_", "."];
  const names = separators.flatMap((before) =>
    separators.map((after) => `${first}${before}${second}${after}${third}`),
  );
  return names.filter((alias) => alias !== name);
});
