import { create, toBinary } from "@bufbuild/protobuf";
import {
  ValidateTokenRequestSchema,
  ValidateTokenResponseSchema,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { forkChild } from "../child-process.ts";
import { FRAME_HEADER_BYTES, frame } from "../grpc-frame.ts";
import { type LoadSample, startLoadGenerators } from "../load.ts";
import type { Load } from "../load-generator.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";
import type { AnswerTemplate, ListeningAt } from "../yardsticks/validate-answer.ts";

const THROUGHPUT = "validate token: throughput";
const THROUGHPUT_OF_GRPC_JS = "validate token: throughput beside grpc-js";
const P50 = "validate token: p50 under full load";
const P99 = "validate token: p99 under full load";

const BARE_HTTP2 = new URL("../yardsticks/bare-http2.ts", import.meta.url);
const GRPC_JS = new URL("../yardsticks/grpc-js.ts", import.meta.url);

const CONNECTIONS = 2;
const STREAMS = 16;
const WARM_UP_MS = 200;

/**
 * ValidateToken over gRPC and h2c, beside servers that read the same request and make the same
 * answer, but check nothing. The generators are the same and see the same number of bytes.
 */
export const validateToken: Row = {
  names: [THROUGHPUT, THROUGHPUT_OF_GRPC_JS, P50, P99],
  async measure(bench) {
    const answer = await takeAnswer(bench);
    const bareUrl = await startYardstick(bench, BARE_HTTP2, answer);
    const grpcJsUrl = await startYardstick(bench, GRPC_JS, answer);
    const generators = bench.resources.use(startLoadGenerators());
    const load = loadOf(bench, answer);
    const { signet, bare, grpcJs } = await playRounds(bench.rounds, {
      signet: () => generators.apply(load),
      bare: () => generators.apply({ ...load, url: bareUrl }),
      grpcJs: () => generators.apply({ ...load, url: grpcJsUrl }),
    });
    return toFigures(signet, bare, grpcJs);
  },
};

/** Asks Signet once: what it answers is what the yardsticks have to make. */
async function takeAnswer({ service: { client, accessToken } }: Bench): Promise<Uint8Array> {
  return toBinary(
    ValidateTokenResponseSchema,
    await client.auth.validateToken({ token: accessToken }),
  );
}

async function startYardstick(
  { resources }: Bench,
  program: URL,
  answer: Uint8Array,
): Promise<string> {
  const server = resources.use(forkChild<AnswerTemplate, ListeningAt>(program));
  return (await server.ask({ answer })).url;
}

function loadOf({ service, roundMs }: Bench, answer: Uint8Array): Load {
  const request = create(ValidateTokenRequestSchema, { token: service.accessToken });
  return {
    url: service.url,
    path: "/signet.v1.AuthService/ValidateToken",
    authorization: `Bearer ${service.siteKey}`,
    body: frame(toBinary(ValidateTokenRequestSchema, request)),
    answerBytes: FRAME_HEADER_BYTES + answer.length,
    connections: CONNECTIONS,
    streams: STREAMS,
    warmUpMs: WARM_UP_MS,
    ms: roundMs,
  };
}

function toFigures(
  signet: readonly LoadSample[],
  bare: readonly LoadSample[],
  grpcJs: readonly LoadSample[],
): Figure[] {
  const rates = (samples: readonly LoadSample[]) => samples.map((each) => each.callsPerSecond);
  const p50s = (samples: readonly LoadSample[]) => samples.map((each) => each.p50Ms);
  const p99s = (samples: readonly LoadSample[]) => samples.map((each) => each.p99Ms);
  const besideBare = (of: typeof rates) => ({
    samples: of(signet),
    yardstick: { name: "bare node:http2", samples: of(bare) },
  });
  return [
    { row: THROUGHPUT, unit: "calls/s", ...besideBare(rates), goal: 0.6 },
    {
      row: THROUGHPUT_OF_GRPC_JS,
      unit: "calls/s",
      samples: rates(signet),
      yardstick: { name: "grpc-js server", samples: rates(grpcJs) },
      goal: 1,
    },
    { row: P50, unit: "ms", ...besideBare(p50s) },
    { row: P99, unit: "ms", ...besideBare(p99s) },
  ];
}
