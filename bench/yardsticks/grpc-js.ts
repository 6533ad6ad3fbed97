import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import type { ValidateTokenResponse } from "../../gen/signet/v1/auth_service_pb.ts";
import { answerParent } from "../child-process.ts";
import {
  type AnswerTemplate,
  createAnswerMaker,
  encodeAnswer,
  type ListeningAt,
  readRequest,
} from "./validate-answer.ts";

const SERVICE = {
  validateToken: {
    path: "/signet.v1.AuthService/ValidateToken",
    requestStream: false,
    responseStream: false,
    requestSerialize: Buffer.from,
    requestDeserialize: readRequest,
    responseSerialize: (answer: ValidateTokenResponse) => Buffer.from(encodeAnswer(answer)),
    responseDeserialize: (bytes: Buffer) => bytes,
  },
} satisfies ServiceDefinition;

answerParent(listen);

/** Serves ValidateToken with grpc-js as one would write it by hand. */
async function listen(template: AnswerTemplate): Promise<ListeningAt> {
  const makeAnswer = createAnswerMaker(template);
  const server = new Server();
  server.addService(SERVICE, {
    validateToken: (_call: unknown, callback: AnswerCallback) => callback(null, makeAnswer()),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { url: `http://127.0.0.1:${port}` };
}

type AnswerCallback = (error: null, answer: ValidateTokenResponse) => void;
