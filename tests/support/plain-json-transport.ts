import {
  create,
  type DescMessage,
  fromJson,
  type JsonObject,
  type MessageInitShape,
  toJson,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { callJson } from "./json-call.ts";

/**
 * Makes unary calls as a program without any library of gRPC or Connect does: JSON, by node:http.
 * The names of fields are those of the proto, as a person types them.
 */
export function createPlainJsonTransport(baseUrl: string): Transport {
  return {
    async unary(method, _signal, _timeoutMs, header, input) {
      const credential = new Headers(header).get("authorization")?.replace("Bearer ", "");
      const path = `${method.parent.typeName}/${method.name}`;
      const answer = await callJson(baseUrl, path, written(method.input, input), credential);
      if (answer.status !== 200) {
        throw errorFromJson(
          answer.json as JsonObject,
          undefined,
          new ConnectError("refused", Code.Unknown),
        );
      }
      const message = fromJson(method.output, answer.json as JsonObject);
      const [headers, trailer] = [new Headers(), new Headers()];
      return {
        stream: false,
        service: method.parent,
        method,
        header: headers,
        trailer,
        message,
      } as never;
    },
    stream() {
      throw new Error("plain JSON has no streams");
    },
  };
}

function written<D extends DescMessage>(desc: D, input: MessageInitShape<D>): unknown {
  return toJson(desc, create(desc, input), { useProtoFieldName: true });
}
