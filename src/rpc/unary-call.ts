import {
  create,
  type DescMethod,
  type DescService,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";

/** A unary RPC and the function that serves it, whichever way a call comes in. */
export interface UnaryCall {
  readonly method: DescMethod;
  /** Serves one call; returns a whole message of the method's output. */
  serve(request: Message, context: HandlerContext): Promise<Message>;
}

/** A handler whose types are those of its method, as the compiler has checked. */
type Handler = (request: Message, context: HandlerContext) => unknown;

/** Lists the unary RPCs that a service implements; the others are the adapter's to answer. */
export function unaryCalls<T extends DescService>(
  service: T,
  implementation: Partial<ServiceImpl<T>>,
): UnaryCall[] {
  const handlers = new Map<string, unknown>(Object.entries(implementation));
  return service.methods.flatMap((method) => {
    const handler = handlers.get(method.localName);
    if (method.methodKind !== "unary" || typeof handler !== "function") return [];
    return [{ method, serve: server(method, handler.bind(implementation) as Handler) }];
  });
}

function server({ output }: DescMethod, handler: Handler): UnaryCall["serve"] {
  return async (request, context) => {
    const answer = await handler(request, context);
    return create(output, answer as MessageInitShape<typeof output>);
  };
}
