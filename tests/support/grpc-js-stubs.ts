import {
  create,
  createFileRegistry,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";

/** Stubs that grpc-js has made; messages are JSON. */
export interface GrpcJsStubs {
  unary(service: string, method: string, message: JsonObject): Promise<JsonObject>;
  stream(service: string, method: string, message: JsonObject): ClientReadableStream<JsonObject>;
  close(): void;
}

/**
 * Makes stubs of grpc-js from nothing but what the server's reflection tells, as a client
 * without the protos at hand does.
 */
export async function reflectStubs(
  address: string,
  services: readonly string[],
  credential: string,
): Promise<GrpcJsStubs> {
  const registry = await reflectFiles(address, services);
  const stubs = new Map(services.map((name) => [name, stubOf(registry, name, address)]));
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${credential}`);

  function find(service: string, method: string) {
    const stub = stubs.get(service);
    const call = stub?.[method];
    if (!stub || typeof call !== "function") throw new Error(`no ${service}/${method}`);
    return call.bind(stub) as (...given: unknown[]) => unknown;
  }

  return {
    unary: (service, method, message) =>
      new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, answer: JsonObject) =>
          error ? reject(error) : resolve(answer);
        find(service, method)(message, metadata, done);
      }),
    stream: (service, method, message) =>
      find(service, method)(message, metadata) as ClientReadableStream<JsonObject>,
    close() {
      for (const stub of stubs.values()) stub.close();
    },
  };
}

function stubOf(registry: FileRegistry, name: string, address: string) {
  const service = registry.getService(name);
  if (!service) throw new Error(`the server does not reflect ${name}`);
  const definition = Object.fromEntries(
    service.methods.map((method) => [method.name, definitionOf(registry, method)]),
  );
  const Stub = makeGenericClientConstructor(definition, name);
  return new Stub(address, credentials.createInsecure());
}

function definitionOf(registry: FileRegistry, method: DescMethod) {
  const { input, output } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming",
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: (message: JsonObject) =>
      Buffer.from(toBinary(input, fromJson(input, message, { registry }))),
    requestDeserialize: (bytes: Buffer) => fromBinary(input, bytes),
    responseSerialize: (message: Message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes: Buffer) => toJson(output, fromBinary(output, bytes), { registry }),
  };
}

async function reflectFiles(address: string, symbols: readonly string[]): Promise<FileRegistry> {
  const { input, output } = ServerReflection.method.serverReflectionInfo;
  const client = new Client(address, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(
    `/${ServerReflection.typeName}/ServerReflectionInfo`,
    (message: Message) => Buffer.from(toBinary(input, message as never)),
    (bytes: Buffer) => fromBinary(output, bytes),
    new Metadata(),
  );
  for (const value of symbols) {
    call.write(create(input, { messageRequest: { case: "fileContainingSymbol", value } }));
  }
  call.end();
  const files = new Map<string, FileDescriptorProto>();
  for await (const { messageResponse } of call) {
    if (messageResponse.case !== "fileDescriptorResponse") throw new Error("no such symbol");
    for (const bytes of messageResponse.value.fileDescriptorProto) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      files.set(file.name, file);
    }
  }
  client.close();
  return createFileRegistry(create(FileDescriptorSetSchema, { file: inOrder(files) }));
}

/** Puts imported files before those that import them. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = (name: string): void => {
    const file = files.get(name);
    if (!file || ordered.has(file)) return;
    file.dependency.forEach(add);
    ordered.add(file);
  };
  for (const name of files.keys()) add(name);
  return [...ordered];
}
