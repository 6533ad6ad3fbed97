import { availableParallelism } from "node:os";
import { create, toBinary } from "@bufbuild/protobuf";
import { LoginRequestSchema } from "../../gen/signet/v1/auth_service_pb.ts";
import { forkChild } from "../child-process.ts";
import { frame } from "../grpc-frame.ts";
import { startLoadGenerators } from "../load.ts";
import type { Load } from "../load-generator.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Row } from "../row.ts";
import type { CheckPasswords, PasswordChecks } from "../yardsticks/password-check.ts";

const THROUGHPUT = "login: throughput";
const THROUGHPUT_OF_ALL = "login: throughput beside all cores at once";
const PASSWORD_CHECK = new URL("../yardsticks/password-check.ts", import.meta.url);
const WARM_UP_MS = 200;

/**
 * Logins by password, as many at a time as keep every core busy and few enough that hardly one is
 * shed, beside what the cores could do if they only checked passwords: as fast as one core that
 * does it alone, and as fast as all that do it at once, which share caches and memory. One that is
 * shed all the same, on a machine with other work, is not counted.
 */
export const login: Row = {
  names: [THROUGHPUT, THROUGHPUT_OF_ALL],
  async measure(bench) {
    const cores = availableParallelism();
    const generators = bench.resources.use(startLoadGenerators());
    const checker = bench.resources.use(forkChild<CheckPasswords, PasswordChecks>(PASSWORD_CHECK));
    const load = loadOf(bench, cores);
    const check = async (atOnce: number) =>
      (await checker.ask({ ms: bench.roundMs, atOnce })).perSecond;
    const { signet, one, all } = await playRounds(bench.rounds, {
      signet: async () => (await generators.apply(load)).callsPerSecond,
      one: async () => cores * (await check(1)),
      all: () => check(cores),
    });
    const common = { unit: "calls/s", samples: signet } as const;
    const besideOne = { name: `${cores} cores × argon2id`, samples: one };
    const besideAll = { name: `argon2id, ${cores} at once`, samples: all };
    return [
      { row: THROUGHPUT, ...common, yardstick: besideOne, goal: 0.9 },
      { row: THROUGHPUT_OF_ALL, ...common, yardstick: besideAll },
    ];
  },
};

/** Each of the generators has as many calls under way as there are cores: one hashes, one waits. */
function loadOf({ service, roundMs }: Bench, cores: number): Load {
  const { email, password } = service.user;
  const request = create(LoginRequestSchema, {
    identifier: { case: "email", value: email },
    password,
  });
  return {
    url: service.url,
    path: "/signet.v1.AuthService/Login",
    authorization: `Bearer ${service.siteKey}`,
    body: frame(toBinary(LoginRequestSchema, request)),
    connections: 1,
    streams: cores,
    mayBeShed: true,
    warmUpMs: WARM_UP_MS,
    ms: roundMs,
  };
}
