import { create, createFileRegistry } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  type BytesValueSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";

type Bytes = typeof BytesValueSchema;

/** A service that only tests have: calls of every kind, to push the edge to its limits. */
export type EdgeService = GenService<{
  echo: { methodKind: "unary"; input: Bytes; output: Bytes };
  hang: { methodKind: "unary"; input: Bytes; output: Bytes };
  remainingTime: { methodKind: "unary"; input: Bytes; output: Bytes };
  clientAddress: { methodKind: "unary"; input: Bytes; output: Bytes };
  stream: { methodKind: "server_streaming"; input: Bytes; output: Bytes };
  hangStream: { methodKind: "server_streaming"; input: Bytes; output: Bytes };
  collect: { methodKind: "client_streaming"; input: Bytes; output: Bytes };
}>;

/** Its descriptor; all messages are `google.protobuf.BytesValue`. */
export const EdgeService = describeService();

/** What the tests need to know about calls that they have left. */
export interface EdgeServiceState {
  /** Handlers of `hang` and `hangStream` that run. */
  hanging: number;
  /** Calls of `collect` whose requests all arrived. */
  collected: number;
}

/** Implements the service. */
export function edgeService(
  state: EdgeServiceState,
  addressOf: (values: import("@connectrpc/connect").ContextValues) => string,
): ServiceImpl<EdgeService> {
  const text = (value: string) => ({ value: new TextEncoder().encode(value) });
  return {
    echo: ({ value }) => ({ value }),
    async hang(_request, { signal }) {
      state.hanging += 1;
      signal.addEventListener("abort", () => {
        state.hanging -= 1;
      });
      return new Promise(() => undefined);
    },
    remainingTime: (_request, { timeoutMs }) => text(String(timeoutMs())),
    clientAddress: (_request, { values }) => text(addressOf(values)),
    async *stream({ value }) {
      // Without end, so that only the client, the deadline or a drain stops it.
      for (let n = 0; ; n += 1) {
        yield { value };
        if (n % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async *hangStream({ value }, { signal }) {
      state.hanging += 1;
      signal.addEventListener("abort", () => {
        state.hanging -= 1;
      });
      yield { value };
      await new Promise(() => undefined);
    },
    async collect(requests) {
      let bytes = 0;
      for await (const { value } of requests) bytes += value.length;
      state.collected += 1;
      return text(String(bytes));
    },
  };
}

function describeService(): EdgeService {
  const type = ".google.protobuf.BytesValue";
  const method = (name: string, streams: object = {}) => ({
    name,
    inputType: type,
    outputType: type,
    ...streams,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "test/v1/edge_service.proto",
    package: "test.v1",
    syntax: "proto3",
    dependency: [file_google_protobuf_wrappers.proto.name],
    service: [
      {
        name: "EdgeService",
        method: [
          method("Echo"),
          method("Hang"),
          method("RemainingTime"),
          method("ClientAddress"),
          method("Stream", { serverStreaming: true }),
          method("HangStream", { serverStreaming: true }),
          method("Collect", { clientStreaming: true }),
        ],
      },
    ],
  });
  const registry = createFileRegistry(file, (name) =>
    name === file_google_protobuf_wrappers.proto.name ? file_google_protobuf_wrappers : undefined,
  );
  return registry.getService("test.v1.EdgeService") as unknown as EdgeService;
}
