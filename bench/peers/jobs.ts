import { availableParallelism } from "node:os";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  LoginRequestSchema,
  ValidateTokenRequestSchema,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { LookupUserRequestSchema } from "../../gen/signet/v1/user_service_pb.ts";
import { frame } from "../grpc-frame.ts";
import { startHttpGenerator, startLoadGenerators } from "../load.ts";
import { playRounds } from "../rounds.ts";
import type { Figure } from "../row.ts";
import { type PeerBench, startPeer } from "./peer.ts";

const WARM_UP_MS = 300;
/** Calls under way at any time: for Signet on 2 connections of each of up to 2 generators. */
const CONNECTIONS = 2;
const STREAMS = 16;
const PARALLEL = 64;
/** Two logins for each core keep all of them busy. */
const LOGINS = 2 * availableParallelism();
const BETTER_AUTH = "better-auth";

/** Measures each job on Signet over gRPC and on better-auth over HTTP/1.1, in turn. */
export async function measurePeers(bench: PeerBench): Promise<readonly Figure[]> {
  const { rounds } = bench;
  const peer = await startPeer(bench, false);
  const cached = await startPeer(bench, true);
  const signet = signetCalls(bench);
  const http = httpCalls(bench);
  const { email } = bench.service.user;
  const samples = await playRounds(rounds, {
    validate: signet.validate,
    session: () => http("GET", "/api/auth/get-session", peer),
    cachedSession: () => http("GET", "/api/auth/get-session", cached),
    lookUp: signet.lookUp,
    find: () => http("GET", `/users/${encodeURIComponent(email)}`, peer),
    login: signet.login,
    signIn: () => http("POST", "/api/auth/sign-in/email", peer, bench.service.user),
  });
  const figure = (row: string, own: readonly number[], name: string, theirs: readonly number[]) =>
    ({ row, unit: "calls/s", samples: own, yardstick: { name, samples: theirs } }) as const;
  const { validate, session, cachedSession, lookUp, find, login, signIn } = samples;
  return [
    figure("validate a token or session", validate, BETTER_AUTH, session),
    figure("the same", validate, `${BETTER_AUTH}, cookie cache`, cachedSession),
    figure("look up by address", lookUp, BETTER_AUTH, find),
    figure("log in", login, BETTER_AUTH, signIn),
  ];
}

function signetCalls({ service, roundMs, resources }: PeerBench) {
  const generators = resources.use(startLoadGenerators());
  const call = async <Schema extends DescMessage>(
    path: string,
    schema: Schema,
    request: MessageInitShape<Schema>,
    size: { readonly connections: number; readonly streams: number; readonly mayBeShed?: boolean },
  ): Promise<number> => {
    const { callsPerSecond } = await generators.apply({
      url: service.url,
      path,
      authorization: `Bearer ${service.siteKey}`,
      body: frame(toBinary(schema, create(schema, request))),
      warmUpMs: WARM_UP_MS,
      ms: roundMs,
      ...size,
    });
    return callsPerSecond;
  };
  const size = { connections: CONNECTIONS, streams: STREAMS };
  const identifier = { case: "email", value: service.user.email } as const;
  const { password } = service.user;
  const token = service.accessToken;
  // Each of two generators has half of the logins.
  const logins = { connections: 1, streams: LOGINS / 2, mayBeShed: true };
  const validated = ValidateTokenRequestSchema;
  const found = LookupUserRequestSchema;
  const signedIn = LoginRequestSchema;
  return {
    validate: () => call("/signet.v1.AuthService/ValidateToken", validated, { token }, size),
    lookUp: () =>
      call("/signet.v1.UserService/LookupUser", found, { user: { ref: identifier } }, size),
    login: () => call("/signet.v1.AuthService/Login", signedIn, { identifier, password }, logins),
  };
}

function httpCalls({ roundMs, resources }: PeerBench) {
  const generator = resources.use(startHttpGenerator());
  return async (
    method: "GET" | "POST",
    path: string,
    { url, cookie }: { readonly url: string; readonly cookie: string },
    credentials?: { readonly email: string; readonly password: string },
  ): Promise<number> => {
    const { host, port } = new URL(url);
    const { email, password } = credentials ?? {};
    const body = credentials ? JSON.stringify({ email, password }) : "";
    const headers = credentials
      ? ["Content-Type: application/json", `Content-Length: ${body.length}`, `Origin: ${url}`]
      : [`Cookie: ${cookie}`];
    const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...headers].join("\r\n");
    const { callsPerSecond } = await generator.apply({
      port: Number(port),
      request: `${head}\r\n\r\n${body}`,
      connections: credentials ? LOGINS : PARALLEL,
      warmUpMs: WARM_UP_MS,
      ms: roundMs,
    });
    return callsPerSecond;
  };
}
