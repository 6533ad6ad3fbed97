import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { type UnaryCall, unaryCalls } from "./unary-call.ts";

/** A service for both ways by which calls come in: the same functions serve them. */
export interface ServedService {
  register(router: ConnectRouter): void;
  readonly unary: readonly UnaryCall[];
}

/** Prepares a service for both. */
export function servedService<T extends DescService>(
  service: T,
  implementation: Partial<ServiceImpl<T>>,
): ServedService {
  return {
    register: (router) => void router.service(service, implementation),
    unary: unaryCalls(service, implementation),
  };
}
