import { once } from "node:events";
import { connect as connectHttp2, constants, createServer as createNodeServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { EDGE_LIMITS } from "../../../src/server/edge-limits.ts";
import { keepSessionHealthy } from "../../../src/server/session-health.ts";
import { closed, connectHttp2 as connectByHand } from "../../support/raw-http2.ts";
import { until } from "../../support/waiting.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

describe("a session", () => {
  test("whose client answers no ping is destroyed", async () => {
    const port = await serve({ ...EDGE_LIMITS, pingIntervalMs: 40 });
    const socket = await connectByHand(port);

    expect(await closed(socket, 2_000)).toBe(true);
  });

  test("whose client answers stays open", async () => {
    const port = await serve({ ...EDGE_LIMITS, pingIntervalMs: 100 });
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    cleanUps.push(() => session.destroy());
    const pings: Buffer[] = [];
    session.on("ping", (payload: Buffer) => pings.push(payload));

    await until(() => pings.length > 3);

    expect(session.destroyed).toBe(false);
  });

  test("without a stream is closed after its time, with one it is not", async () => {
    const port = await serve({ ...EDGE_LIMITS, pingIntervalMs: 100, sessionIdleMsMax: 150 });
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.on("error", () => undefined);
    stream.resume();
    await once(stream, "response");
    await new Promise((resolve) => setTimeout(resolve, 400));
    const wasClosedWithStream = session.closed;

    stream.close(constants.NGHTTP2_CANCEL);
    await once(session, "close");

    expect(wasClosedWithStream).toBe(false);
  });
});

async function serve(limits: Parameters<typeof keepSessionHealthy>[1]): Promise<number> {
  const server = createNodeServer((_request, response) => {
    response.writeHead(200);
    response.write("x");
  });
  server.on("session", (session) => keepSessionHealthy(session, limits));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => server.close());
  return (server.address() as AddressInfo).port;
}
