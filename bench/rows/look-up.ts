import { create, toBinary } from "@bufbuild/protobuf";
import { LookupUserRequestSchema } from "../../gen/signet/v1/user_service_pb.ts";
import { forkChild } from "../child-process.ts";
import { frame } from "../grpc-frame.ts";
import { startLoadGenerators } from "../load.ts";
import type { Load } from "../load-generator.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Row } from "../row.ts";
import type { LookupSource } from "../yardsticks/bare-lookup.ts";
import type { ListeningAt } from "../yardsticks/validate-answer.ts";

const THROUGHPUT = "look up a User: throughput";
const P99 = "look up a User: p99 under full load";

const BARE_LOOKUP = new URL("../yardsticks/bare-lookup.ts", import.meta.url);

/**
 * LookupUser by e-mail, beside a bare server that runs one prepared statement on the same database
 * without row-level security, and checks nothing.
 */
export const lookUp: Row = {
  names: [THROUGHPUT, P99],
  async measure(bench) {
    const { service, resources, rounds } = bench;
    const { user } = await service.client.users.lookupUser({ user: refOf(service.user.email) });
    const bare = resources.use(forkChild<LookupSource, ListeningAt>(BARE_LOOKUP));
    const { databaseUrl } = service;
    const { url } = await bare.ask({ databaseUrl, siteId: user?.siteId ?? "" });
    const generators = resources.use(startLoadGenerators());
    const load = loadOf(bench);
    const samples = await playRounds(rounds, {
      signet: () => generators.apply(load),
      bare: () => generators.apply({ ...load, url }),
    });
    const name = "bare node:http2, one statement";
    const rates = (of: "signet" | "bare") => samples[of].map((each) => each.callsPerSecond);
    const p99s = (of: "signet" | "bare") => samples[of].map((each) => each.p99Ms);
    const besideBare = (figures: typeof rates) => ({
      samples: figures("signet"),
      yardstick: { name, samples: figures("bare") },
    });
    return [
      { row: THROUGHPUT, unit: "calls/s", ...besideBare(rates), goal: 0.7 },
      { row: P99, unit: "ms", ...besideBare(p99s) },
    ];
  },
};

function refOf(email: string) {
  return { ref: { case: "email", value: email } } as const;
}

function loadOf({ service, roundMs }: Bench): Load {
  const request = create(LookupUserRequestSchema, { user: refOf(service.user.email) });
  return {
    url: service.url,
    path: "/signet.v1.UserService/LookupUser",
    authorization: `Bearer ${service.siteKey}`,
    body: frame(toBinary(LookupUserRequestSchema, request)),
    connections: 2,
    streams: 16,
    warmUpMs: 200,
    ms: roundMs,
  };
}
