import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

/** Calls by `@grpc/grpc-js`, the client that most other backends use. */
export interface GrpcJsTransport extends Transport {
  close(): void;
}

/** Lets the tests of every wire run over grpc-js; unary calls and streams from the server only. */
export function createGrpcJsTransport(address: string): GrpcJsTransport {
  const client = new Client(address, credentials.createInsecure());
  return {
    close: () => client.close(),

    async unary(method, signal, timeoutMs, header, input) {
      const { path, write, read } = codecOf(method);
      const answered = Promise.withResolvers<ReturnType<typeof read>>();
      const call = client.makeUnaryRequest(
        path,
        write,
        read,
        create(method.input, input),
        toMetadata(header),
        deadlineOf(timeoutMs),
        (error, message) => {
          if (error || !message) answered.reject(error ? toError(error) : new Error("no answer"));
          else answered.resolve(message);
        },
      );
      const headers = new Promise<Headers>((resolve) => {
        call.once("metadata", (metadata: Metadata) => resolve(toHeaders(metadata)));
      });
      signal?.addEventListener("abort", () => call.cancel(), { once: true });
      const message = await answered.promise;
      const trailer = new Headers();
      return { ...envelopeOf(method), stream: false, header: await headers, trailer, message };
    },

    async stream(method, signal, timeoutMs, header, input) {
      const { path, write, read } = codecOf(method);
      const [request] = await Array.fromAsync(input);
      const call = client.makeServerStreamRequest(
        path,
        write,
        read,
        create(method.input, request),
        toMetadata(header),
        deadlineOf(timeoutMs),
      );
      signal?.addEventListener("abort", () => call.cancel(), { once: true });
      const trailer = new Headers();
      const message = messagesOf<ReturnType<typeof read>>(call);
      return { ...envelopeOf(method), stream: true, header: new Headers(), trailer, message };
    },
  };
}

async function* messagesOf<T>(call: AsyncIterable<unknown> & { cancel(): void }): AsyncIterable<T> {
  try {
    yield* call as AsyncIterable<T>;
  } catch (error) {
    throw toError(error as ServiceError);
  } finally {
    call.cancel();
  }
}

function codecOf<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    write: (message: MessageInitShape<I>) =>
      Buffer.from(toBinary(method.input, create(method.input, message))),
    read: (bytes: Buffer) => fromBinary(method.output, bytes),
  };
}

function envelopeOf<M extends DescMethod>(method: M) {
  return { service: method.parent, method };
}

function deadlineOf(timeoutMs: number | undefined) {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function toMetadata(header: ConstructorParameters<typeof Headers>[0]): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of new Headers(header)) metadata.set(name, value);
  return metadata;
}

function toHeaders(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(metadata.toJSON())) {
    for (const value of values) headers.append(name, toText(value));
  }
  return headers;
}

/** Binary metadata travels in base64, without its padding. */
function toText(value: string | Buffer): string {
  return typeof value === "string" ? value : value.toString("base64").replace(/=+$/, "");
}

/** The status is the gRPC one; the details are those that the trailers carry. */
function toError(error: ServiceError): ConnectError {
  const trailers = toHeaders(error.metadata ?? new Metadata());
  trailers.set("grpc-status", `${error.code}`);
  trailers.set("grpc-message", encodeURIComponent(error.details ?? ""));
  return findTrailerError(trailers) ?? new ConnectError(error.message, Code.Unknown);
}
