import { text } from "node:stream/consumers";
import type { HeaderList } from "./header-call.ts";
import { type HttpTarget, startHttpTarget } from "./http-target.ts";

/** What an app behind a proxy got. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly trailers: HeaderList;
}

/** Starts an app that answers with what it got, to the letter, as JSON. */
export async function startHeaderMirror(): Promise<HttpTarget> {
  return await startHttpTarget((request, response) => {
    void text(request).then(() => {
      const seen: SeenRequest = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: pairs(request.rawHeaders),
        trailers: pairs(request.rawTrailers),
      };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(seen));
    });
  });
}

function pairs(list: readonly string[]): HeaderList {
  return list.flatMap((name, n) => (n % 2 === 0 ? [[name, list[n + 1] ?? ""] as const] : []));
}
