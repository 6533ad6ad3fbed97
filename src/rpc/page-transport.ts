import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createContextValues,
  createHandlerContext,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { CallRules } from "./call-rules.ts";
import { clientAddressKey } from "./client-address.ts";
import { hostedPageKey } from "./hosted-page.ts";
import type { UnaryCall } from "./unary-call.ts";

/** For whom a page calls. */
export interface Visitor {
  readonly headers: Headers;
  /** Empty: no socket is involved. */
  readonly clientAddress: string;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Creates what connects pages to the services of this process, by the rules of every call: access,
 * limits by the visitor's address, and a line of log.
 */
export function createPageTransport(
  rules: CallRules,
  calls: readonly UnaryCall[],
): (visitor: Visitor) => Transport {
  const served = new Map<unknown, UnaryCall>(calls.map((call) => [call.method, call]));

  async function run<I extends DescMessage, O extends DescMessage>(
    visitor: Visitor,
    method: DescMethodUnary<I, O>,
    input: MessageInitShape<I>,
  ): Promise<UnaryResponse<I, O>> {
    const call = served.get(method);
    if (call === undefined) throw unimplemented();
    const context = contextOf(visitor, method);
    const { values } = context;
    const message = create(method.input, input);
    const requestId = visitor.headers.get("x-request-id");
    const direct = { method, authorization: null, requestId, values, message };
    try {
      const answer = await rules.run(direct, () => call.serve(message, context));
      return {
        stream: false,
        service: method.parent,
        method,
        header: new Headers(),
        trailer: new Headers(),
        message: answer as MessageShape<O>, // As the method says.
      };
    } finally {
      context.abort();
    }
  }

  return (visitor) => ({
    unary: (method, _signal, _timeoutMs, _header, input) => run(visitor, method, input),
    stream: () => Promise.reject(unimplemented()),
  });
}

function contextOf({ headers, clientAddress, signal }: Visitor, method: DescMethodUnary) {
  return createHandlerContext({
    service: method.parent,
    method,
    protocolName: "connect",
    requestMethod: "POST",
    url: "",
    requestSignal: signal,
    // The audit knows a device by it; nothing else of a visitor's headers counts.
    requestHeader: { "user-agent": headers.get("user-agent") ?? "" },
    contextValues: createContextValues()
      .set(clientAddressKey, clientAddress)
      .set(hostedPageKey, true),
  });
}

function unimplemented(): ConnectError {
  return new ConnectError("pages do not make this call", Code.Unimplemented);
}
