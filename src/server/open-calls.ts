import type { DescMethod } from "@bufbuild/protobuf";
import { Failure } from "../model/failure.ts";
import { addressGroup } from "../model/network-address.ts";
import { type CallController, createCallController } from "./call-controller.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import { createQuota } from "./quota.ts";

/** A call that the server has taken on. */
export interface OpenCall {
  readonly controller: CallController;
  readonly release: () => void;
}

/** Every call under way in this process, so that there are not too many and all can be ended. */
export interface OpenCalls {
  /** @throws {Failure} `overloaded` if there are too many, `shutting_down` during a drain. */
  open(client: string, kind: DescMethod["methodKind"]): OpenCall;
  /** Refuses new calls from now on. */
  refuseNew(): void;
  /** Ends the streams; unary calls go on. */
  endStreams(): void;
  /** Ends every call. */
  endAll(): void;
  /** How many calls are under way. */
  readonly count: number;
  /** How many calls it has refused. */
  readonly refused: number;
}

/** How long a client refused for load should wait; clients add jitter of their own. */
const RETRY_DELAY_MS = 1_000;

type Bounds = Pick<
  EdgeLimits,
  "callsMax" | "callsPerClientMax" | "requestStreamsMax" | "requestStreamsPerClientMax"
>;

/** Makes an empty register. `refusal` translates a Failure into what a client may see. */
export function createOpenCalls(limits: Bounds, refusal: (failure: Failure) => Error): OpenCalls {
  const quota = createQuota({ total: limits.callsMax, perHolder: limits.callsPerClientMax });
  const requestStreams = createQuota({
    total: limits.requestStreamsMax,
    perHolder: limits.requestStreamsPerClientMax,
  });
  const overloaded = new Failure("overloaded", {}, { retryDelayMs: RETRY_DELAY_MS });
  const streams = new Set<CallController>();
  const unaries = new Set<CallController>();
  let draining = false;
  let refused = 0;

  const end = (controllers: ReadonlySet<CallController>): void => {
    for (const controller of controllers) controller.abort(() => refusal(shuttingDown()));
  };

  function take(holder: string, kind: DescMethod["methodKind"]): () => void {
    const giveBackCall = quota.take(holder);
    if (giveBackCall === undefined) throw overloaded;
    if (kind === "unary" || kind === "server_streaming") return giveBackCall;
    const giveBackStream = requestStreams.take(holder);
    if (giveBackStream !== undefined) {
      return () => {
        giveBackStream();
        giveBackCall();
      };
    }
    giveBackCall();
    throw overloaded;
  }

  return {
    open(client, kind) {
      refused += 1; // Until it is taken on.
      if (draining) throw shuttingDown();
      const giveBack = take(addressGroup(client), kind);
      refused -= 1;
      const controllers = kind === "unary" ? unaries : streams;
      const controller = createCallController();
      controllers.add(controller);
      return {
        controller,
        release: () => {
          controllers.delete(controller);
          giveBack();
        },
      };
    },
    refuseNew: () => {
      draining = true;
    },
    endStreams: () => end(streams),
    endAll: () => {
      end(streams);
      end(unaries);
    },
    get count() {
      return quota.used;
    },
    get refused() {
      return refused;
    },
  };
}

function shuttingDown(): Failure {
  return new Failure("shutting_down", {}, { retryDelayMs: RETRY_DELAY_MS });
}
