import type { DescMethod } from "@bufbuild/protobuf";
import { Authorization } from "../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { UserService } from "../../gen/signet/v1/user_service_pb.ts";
import { createDice } from "./hostile-dice.ts";
import { judgeCall, type Verdict } from "./hostile-judge.ts";
import { targetName, targetsOf } from "./hostile-messages.ts";
import { hostileRequest, type Protocol } from "./hostile-requests.ts";
import { createHostileSender } from "./hostile-sender.ts";
import type { HostileTrial } from "./hostile-trial.ts";

/** Every RPC that the port serves. */
const METHODS: readonly DescMethod[] = [
  ...AuthService.methods,
  ...SiteService.methods,
  ...UserService.methods,
  ...SyncService.methods,
  ...Authorization.methods,
  ...Health.methods,
  ...ServerReflection.methods,
];

/** Every field of every request; each is aimed at in turn. */
export const TARGETS = targetsOf(METHODS);

/** Sends inputs of one protocol; the n-th of a seed is always the same. */
export function hostileCalls(trial: HostileTrial, protocol: Protocol, seed: number) {
  const sender = createHostileSender(trial.service.port);
  const { known, credentials } = trial;
  return {
    async send(n: number): Promise<Verdict & { readonly what: string }> {
      const target = TARGETS[n % TARGETS.length];
      if (!target) throw new Error("there is no RPC");
      const dice = createDice(seed + Math.imul(n, 0x9e3779b1));
      const request = hostileRequest(dice, { protocol, target, known, credentials });
      const answer = await sender.send(request);
      const over = request.http2 ? "HTTP/2" : "HTTP/1.1";
      const what = `${protocol} ${n} ${targetName(target)} over ${over}`;
      return { ...judgeCall(request, answer), what };
    },
    [Symbol.dispose]: () => sender[Symbol.dispose](),
  };
}
