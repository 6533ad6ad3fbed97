import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  ServerReflection,
  type ServerReflectionRequest,
} from "../../../gen/grpc/reflection/v1/reflection_pb.ts";
import * as alpha from "../../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../../gen/health/v1/health_pb.ts";
import { UserService } from "../../../gen/signet/v1/user_service_pb.ts";
import { createDescriptorIndex } from "../../../src/server/descriptor-index.ts";
import { reflectionServices } from "../../../src/server/reflection.ts";

type Question = ServerReflectionRequest["messageRequest"];

const index = createDescriptorIndex([UserService, Health, ServerReflection]);
const options = { index: () => index, streamsMax: 2, requestsPerStreamMax: 20 };

describe("reflection", () => {
  test("lists the services in order", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });

    expect(answer?.messageResponse.value).toMatchObject({
      service: [
        { name: "grpc.health.v1.Health" },
        { name: "grpc.reflection.v1.ServerReflection" },
        { name: "signet.v1.UserService" },
      ],
    });
  });

  test.each([
    "signet.v1.UserService",
    ".signet.v1.UserService",
    "signet.v1.UserService.GetUser",
    "signet.v1.GetUserRequest",
  ])("finds the file of %s, with all that it imports", async (symbol) => {
    const [answer] = await ask({ case: "fileContainingSymbol", value: symbol });

    const names = fileNames(answer);
    expect(names[0]).toBe("signet/v1/user_service.proto");
    expect(names).toContain("signet/v1/access.proto");
    expect(names).toContain("google/protobuf/descriptor.proto");
    expect(new Set(names).size).toBe(names.length);
  });

  test.each([
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
    "grpc.health.v1.HealthCheckResponse.SERVING",
    "grpc.health.v1.HealthCheckResponse.status",
    "grpc.health.v1.HealthListResponse.StatusesEntry",
  ])("finds the file of the nested %s", async (symbol) => {
    const [answer] = await ask({ case: "fileContainingSymbol", value: symbol });

    expect(fileNames(answer)).toEqual(["health/v1/health.proto"]);
  });

  test("keeps custom options in the files that it sends", async () => {
    const [answer] = await ask({ case: "fileByFilename", value: "signet/v1/user_service.proto" });

    const methods = files(answer)[0]?.service[0]?.method ?? [];
    expect(methods.length).toBeGreaterThan(0);
    for (const { options } of methods) expect(options?.$unknown?.length).toBe(1);
  });

  test("does not send an import twice in one stream", async () => {
    const question: Question = { case: "fileContainingSymbol", value: "signet.v1.UserService" };

    const [first, second] = await ask(question, question);

    expect(fileNames(first).length).toBeGreaterThan(1);
    expect(fileNames(second)).toEqual(["signet/v1/user_service.proto"]);
  });

  test("knows the extensions of a message", async () => {
    const containingType = "google.protobuf.MethodOptions";
    const [numbers] = await ask({ case: "allExtensionNumbersOfType", value: containingType });
    const known = numbers?.messageResponse;
    if (known?.case !== "allExtensionNumbersResponse") throw new Error("no numbers");
    const extensionNumber = known.value.extensionNumber[0] ?? 0;
    const value = { containingType, extensionNumber } as Question["value"];

    const [file] = await ask({ case: "fileContainingExtension", value } as Question);

    expect(fileNames(file)[0]).toBe("signet/v1/access.proto");
  });

  test.each<[Question, number]>([
    [{ case: "fileByFilename", value: "nobody.proto" }, 5],
    [{ case: "fileContainingSymbol", value: "nobody" }, 5],
    [{ case: "allExtensionNumbersOfType", value: "nobody" }, 5],
    [{ case: undefined }, 3],
  ])("answers %j with the error %i and goes on", async (question, code) => {
    const [error, next] = await ask(question, { case: "listServices", value: "" });

    expect(error?.messageResponse).toMatchObject({
      case: "errorResponse",
      value: { errorCode: code },
    });
    expect(next?.messageResponse.case).toBe("listServicesResponse");
  });

  test("says the same under its older name", async () => {
    const answers: unknown[] = [];
    for await (const answer of client(alpha.ServerReflection).serverReflectionInfo(
      (async function* () {
        yield { messageRequest: { case: "listServices" as const, value: "" } };
      })(),
    )) {
      answers.push(answer.messageResponse.case);
    }

    expect(answers).toEqual(["listServicesResponse"]);
  });

  test("ends a stream that asks too often", async () => {
    const questions = Array.from(
      { length: 21 },
      (): Question => ({ case: "listServices", value: "" }),
    );

    await expect(ask(...questions)).rejects.toThrow(ConnectError);
  });
});

function client<T extends typeof ServerReflection | typeof alpha.ServerReflection>(service: T) {
  const { v1, v1alpha } = reflectionServices(options);
  const transport = createRouterTransport((router) => {
    router.service(ServerReflection, v1);
    router.service(alpha.ServerReflection, v1alpha);
  });
  return createClient(service, transport);
}

async function ask(...questions: readonly Question[]) {
  const answers = [];
  const requests = questions.map((messageRequest) => ({ messageRequest }));
  for await (const answer of client(ServerReflection).serverReflectionInfo(each(requests))) {
    answers.push(answer);
  }
  return answers;
}

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

function files(answer: Awaited<ReturnType<typeof ask>>[number] | undefined) {
  const response = answer?.messageResponse;
  if (response?.case !== "fileDescriptorResponse") throw new Error("no files");
  return response.value.fileDescriptorProto.map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
}

function fileNames(answer: Parameters<typeof files>[0]): readonly string[] {
  return files(answer).map((file) => file.name);
}
