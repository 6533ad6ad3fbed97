import type { Dice } from "./hostile-dice.ts";
import { judgeEndpoint, type Verdict } from "./hostile-judge.ts";
import { createHostileSender, type HostileRequest } from "./hostile-sender.ts";
import type { HostileTrial } from "./hostile-trial.ts";
import { hostileText, type KnownNames } from "./hostile-values.ts";

const METHODS = [
  "GET",
  "GET",
  "GET",
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PATCH",
];
const REQUIREMENTS = ["role", "site", "site_id", "audience", "mfa", "login", "redirect", "x"];
const FORWARDED = [
  "x-forwarded-method",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-uri",
];
const UNKNOWN_PATHS: readonly string[] = [
  "/",
  "//",
  "/.",
  "/..",
  "/%",
  "/%00",
  "/%2e%2e/%2e%2e/etc/passwd",
  "/.env",
  "/.git/config",
  "/healthz/",
  "/HEALTHZ",
  "/healthz;x=1",
  "/healthz%2f..",
  "//healthz",
  "/signet.v1.UserService",
  "/signet.v1.UserService/",
  "/signet.v1.UserService/getuser",
  "/signet.v1.UserService/GetUser/",
  "/signet.v1.UserService/%47etUser",
  "/signet.v1.UserService/__proto__",
  "/__proto__/constructor",
  "/grpc.reflection.v1.ServerReflection/x",
  `/${"a/".repeat(2_000)}`,
  `/${"%41".repeat(2_000)}`,
];

/** Builds a request to an endpoint that is no RPC, or to none at all. */
function endpointRequest(
  dice: Dice,
  known: KnownNames,
  credentials: readonly string[],
): HostileRequest {
  const hasBody = dice.chance(0.1);
  return {
    method: dice.pick(METHODS),
    path: hostilePath(dice, known),
    headers: hostileHeaders(dice, known, credentials),
    body: hasBody ? dice.bytes(dice.pick([1, 100, 5_000])) : new Uint8Array(0),
    http2: dice.chance(0.5),
    mayStayOpen: false,
    mayBeCut: false,
  };
}

/** Sends requests to endpoints that are no RPCs, and judges the answers. */
export function createEndpointCalls(trial: HostileTrial) {
  const sender = createHostileSender(trial.service.port);
  return {
    async send(dice: Dice): Promise<Verdict & { readonly what: string }> {
      const request = endpointRequest(dice, trial.known, trial.credentials);
      const verdict = judgeEndpoint(request, await sender.send(request));
      return { ...verdict, what: `${request.method} ${request.path.slice(0, 80)}` };
    },
    [Symbol.dispose]: () => sender[Symbol.dispose](),
  };
}

function hostilePath(dice: Dice, known: KnownNames): string {
  const siteId = encoded(
    dice.chance(0.3) ? (known.site_id ?? "") : hostileText(dice, "site_id", known),
  );
  const paths = [
    `/forward-auth${hostileQuery(dice, known)}`,
    `/forward-auth${hostileQuery(dice, known)}`,
    `/sites/${siteId}/.well-known/jwks.json`,
    `/sites/${siteId}/.well-known/openid-configuration`,
    `/healthz${hostileQuery(dice, known)}`,
    `/readyz${hostileQuery(dice, known)}`,
    `/metrics${hostileQuery(dice, known)}`,
    `/${encoded(hostileText(dice, "", known))}`,
    dice.pick(UNKNOWN_PATHS),
  ];
  return dice.pick(paths).slice(0, 6_000);
}

function hostileQuery(dice: Dice, known: KnownNames): string {
  const pairs = Array.from({ length: dice.below(5) }, () => {
    const name = dice.chance(0.8) ? dice.pick(REQUIREMENTS) : hostileText(dice, "", known);
    return `${encoded(name)}=${encoded(hostileText(dice, name, known))}`;
  });
  return pairs.length === 0 ? "" : `?${pairs.join(dice.pick(["&", "&", ";", "&&"]))}`;
}

/** A text as a path may hold it; now and then not as a text at all. */
function encoded(text: string): string {
  const short = text.slice(0, 1_000).toWellFormed();
  return encodeURIComponent(short).replace(/%0A$/, "%zz");
}

function hostileHeaders(
  dice: Dice,
  known: KnownNames,
  credentials: readonly string[],
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of FORWARDED) {
    if (dice.chance(0.4)) headers[name] = latin(hostileText(dice, name, known));
  }
  const credential = dice.pick([...credentials, known.token ?? "", "x", "a.b.c"]);
  if (dice.chance(0.5))
    headers.authorization = `${dice.pick(["Bearer", "bearer", ""])} ${credential}`;
  if (dice.chance(0.5)) {
    const value = dice.chance(0.5) ? credential : latin(hostileText(dice, "", known));
    headers.cookie = dice.pick([
      `session=${value}`,
      `a=b; session=${value}; session=x`,
      value,
      ";;=;",
    ]);
  }
  if (dice.chance(0.2)) headers["if-none-match"] = dice.pick(["*", '"x"', "W/", '"'.repeat(3_000)]);
  if (dice.chance(0.2))
    headers.accept = dice.pick(["text/html", "*/*;q=9", ",", "x".repeat(3_000)]);
  if (dice.chance(0.1)) headers.range = dice.pick(["bytes=0-", "bytes=9-1", "x"]);
  if (dice.chance(0.1)) headers.origin = "https://evil.example";
  if (dice.chance(0.1)) headers["access-control-request-method"] = "POST";
  return headers;
}

/** What a client library lets through as the value of a header. */
function latin(text: string): string {
  return text.replace(/[^\x20-\x7e\x80-\xff]/g, "?").slice(0, 2_000);
}
