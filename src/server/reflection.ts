import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type {
  ServerReflection,
  ServerReflectionRequest,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import type {
  ServerReflection as ServerReflectionAlpha,
  ServerReflectionRequest as ServerReflectionRequestAlpha,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { DescriptorIndex } from "./descriptor-index.ts";
import { createQuota } from "./quota.ts";

/** What {@link reflectionServices} needs. */
export interface ReflectionOptions {
  /** The descriptors of all services, known once all of them are registered. */
  readonly index: () => DescriptorIndex;
  /** How many streams may be open in all: an answer can be a hundred times its request. */
  readonly streamsMax: number;
  readonly requestsPerStreamMax: number;
}

/** The same service under its two names. */
export interface ReflectionServices {
  readonly v1: ServiceImpl<typeof ServerReflection>;
  readonly v1alpha: ServiceImpl<typeof ServerReflectionAlpha>;
}

type Request = ServerReflectionRequest | ServerReflectionRequestAlpha;

/** `message_response` of either version. */
type Answer =
  | {
      readonly case: "fileDescriptorResponse";
      readonly value: { readonly fileDescriptorProto: Uint8Array[] };
    }
  | {
      readonly case: "allExtensionNumbersResponse";
      readonly value: { readonly baseTypeName: string; readonly extensionNumber: number[] };
    }
  | {
      readonly case: "listServicesResponse";
      readonly value: { readonly service: { readonly name: string }[] };
    }
  | {
      readonly case: "errorResponse";
      readonly value: { readonly errorCode: number; readonly errorMessage: string };
    };

/** Implements `grpc.reflection.v1` and `v1alpha`, whose messages are the same but for the name. */
export function reflectionServices(options: ReflectionOptions): ReflectionServices {
  const { streamsMax, requestsPerStreamMax } = options;
  const streams = createQuota({ total: streamsMax, perHolder: streamsMax });

  async function* answerAll<R extends Request>(requests: AsyncIterable<R>) {
    const giveBack = streams.take("");
    if (giveBack === undefined) {
      throw new ConnectError("too many reflection streams", Code.ResourceExhausted);
    }
    try {
      const sent = new Set<string>();
      let count = 0;
      for await (const request of requests) {
        count += 1;
        if (count > requestsPerStreamMax) {
          throw new ConnectError("too many requests in one stream", Code.ResourceExhausted);
        }
        const messageResponse = answer(options.index(), request, sent);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    } finally {
      giveBack();
    }
  }

  return {
    v1: { serverReflectionInfo: answerAll<ServerReflectionRequest> },
    v1alpha: { serverReflectionInfo: answerAll<ServerReflectionRequestAlpha> },
  };
}

function answer(index: DescriptorIndex, { messageRequest }: Request, sent: Set<string>): Answer {
  switch (messageRequest.case) {
    case "fileByFilename":
      return files(index, index.fileByName(messageRequest.value), sent);
    case "fileContainingSymbol":
      return files(index, index.fileOfSymbol(messageRequest.value), sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      return files(index, index.fileOfExtension(containingType, extensionNumber), sent);
    }
    case "allExtensionNumbersOfType": {
      const baseTypeName = messageRequest.value;
      const numbers = index.extensionNumbers(baseTypeName);
      if (numbers === undefined) return failure(Code.NotFound, "unknown message type");
      const value = { baseTypeName, extensionNumber: [...numbers] };
      return { case: "allExtensionNumbersResponse", value };
    }
    case "listServices": {
      const service = index.serviceNames.map((name) => ({ name }));
      return { case: "listServicesResponse", value: { service } };
    }
    case undefined:
      return failure(Code.InvalidArgument, "message_request is required");
  }
}

/** Answers with a file and what it imports, without what this stream has already had. */
function files(
  index: DescriptorIndex,
  file: ReturnType<DescriptorIndex["fileByName"]>,
  sent: Set<string>,
): Answer {
  if (file === undefined) return failure(Code.NotFound, "not found");
  const news = index
    .withDependencies(file)
    .filter((one) => one === file || !sent.has(one.proto.name));
  for (const { proto } of news) sent.add(proto.name);
  const fileDescriptorProto = news.map((one) => index.bytes(one));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
