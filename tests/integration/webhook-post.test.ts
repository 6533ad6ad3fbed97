import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { describe, expect, test } from "vitest";
import { createWebhookPost } from "../../src/outbound/webhook-post.ts";
import { startHttpTarget } from "../support/http-target.ts";

const own = createWebhookPost({ internalHosts: ["127.0.0.1"], timeoutMs: 10_000 });
const hasty = createWebhookPost({ internalHosts: ["127.0.0.1"], timeoutMs: 300 });
const strict = createWebhookPost({ internalHosts: [], timeoutMs: 10_000 });

const post = (way: typeof own, url: string) => way.send({ url, headers: {}, body: "{}" });

describe("a request to a receiver", () => {
  test.each([200, 201, 204, 299])("is accepted with status %i", async (status) => {
    await using target = await startHttpTarget((_, response) => response.writeHead(status).end());

    expect(await post(own, target.url)).toEqual({ status, problem: undefined, pauseMs: undefined });
  });

  test.each([304, 400, 404, 410, 500])("is refused with status %i", async (status) => {
    await using target = await startHttpTarget((_, response) => response.writeHead(status).end());

    expect(await post(own, target.url)).toMatchObject({ status, problem: "status_refused" });
  });

  test.each([301, 302, 307, 308])("follows no redirect with status %i", async (status) => {
    await using elsewhere = await startHttpTarget((_, response) => response.end());
    await using target = await startHttpTarget((_, response) =>
      response.writeHead(status, { location: elsewhere.url }).end(),
    );

    expect(await post(own, target.url)).toMatchObject({ status, problem: "status_refused" });
    expect(elsewhere.paths).toEqual([]);
  });

  test("goes on a connection that is kept for it, if that has not ended", async () => {
    const sockets = new Set<unknown>();
    let dropsNext = false;
    await using target = await startHttpTarget((request, response) => {
      sockets.add(request.socket);
      if (dropsNext) request.socket.destroy();
      else response.writeHead(200).end("thanks");
      dropsNext = false;
    });

    const kept = [await post(own, target.url), await post(own, target.url)];
    const connections = sockets.size;
    dropsNext = true;
    const again = await post(own, target.url);
    const accepted = { status: 200, problem: undefined, pauseMs: undefined };

    expect([...kept, again]).toEqual([accepted, accepted, accepted]);
    expect(connections).toBe(1);
    expect(sockets.size).toBe(2);
    expect(target.paths).toHaveLength(4);
  });

  test("reads no more of an endless answer than it may", async () => {
    await using target = await startHttpTarget((_, response) => {
      const more = setInterval(() => response.write("x".repeat(16_384)), 1);
      response.on("close", () => clearInterval(more));
    });

    expect(await post(own, target.url)).toMatchObject({ status: 200, problem: "answer_invalid" });
  });

  test("reads a huge answer no further, however fast it comes", async () => {
    await using target = await startHttpTarget((_, response) =>
      response.end(Buffer.alloc(32 * 1024 * 1024)),
    );

    expect(await post(own, target.url)).toMatchObject({ status: 200, problem: "answer_invalid" });
  });

  test.each([
    ["never begins", false, 0],
    ["never ends", true, 200],
  ])("does not wait for an answer that %s", async (_, begins, status) => {
    await using target = await startHttpTarget((_request, response) => {
      if (begins) response.write("x");
    });

    expect(await post(hasty, target.url)).toMatchObject({ status, problem: "timed_out" });
  });

  test("fails where nobody listens", async () => {
    const target = await startHttpTarget((_, response) => response.end());
    await target[Symbol.asyncDispose]();

    expect(await post(own, target.url)).toMatchObject({ status: 0, problem: "connection_failed" });
  });

  test("fails where the connection breaks", async () => {
    await using target = await startHttpTarget((request) => request.destroy());

    expect(await post(own, target.url)).toMatchObject({ problem: "connection_failed" });
  });

  test("fails where the answer is no HTTP", async () => {
    await using server = await startRawServer("SSH-2.0-OpenSSH_9.2\r\n");

    expect(await post(own, server.url)).toMatchObject({ status: 0, problem: "answer_invalid" });
  });

  test("fails where the name has no address", async () => {
    const answer = await post(strict, "https://nobody.invalid/hook");

    expect(answer).toMatchObject({ status: 0, problem: "name_not_found" });
  });

  test("fails where the receiver speaks no TLS", async () => {
    await using target = await startHttpTarget((_, response) => response.end());

    const answer = await post(own, target.url.replace("http:", "https:"));

    expect(answer).toMatchObject({ status: 0, problem: "tls_failed" });
    expect(target.paths).toEqual([]);
  });

  test.each([
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/",
    "https://[fd00::1]/",
    "https://localhost/",
    "http://127.0.0.1/",
    "http://example.com/",
  ])("never goes to %s", async (url) => {
    expect(await post(strict, url)).toMatchObject({ status: 0, problem: "address_refused" });
    expect(strict.mayCall(new URL(url))).toBe(false);
  });

  test.each([
    ["seconds", () => "120", 119_000, 120_000],
    ["a date", () => new Date(Date.now() + 60_000).toUTCString(), 50_000, 60_000],
    ["more than is granted", () => "999999999", 43_200_000, 43_200_000],
  ])("honours a pause in %s", async (_, value, min, max) => {
    await using target = await startHttpTarget((_request, response) =>
      response.writeHead(503, { "retry-after": value() }).end(),
    );

    const { pauseMs = 0 } = await post(own, target.url);

    expect(pauseMs).toBeGreaterThanOrEqual(min);
    expect(pauseMs).toBeLessThanOrEqual(max);
  });

  test.each(["soon", "-1", "0", "Thu, 01 Jan 1970 00:00:00 GMT"])(
    "takes a pause of %j for none",
    async (value) => {
      await using target = await startHttpTarget((_request, response) =>
        response.writeHead(503, { "retry-after": value }).end(),
      );

      expect((await post(own, target.url)).pauseMs).toBeUndefined();
    },
  );
});

/** A server that says something else than HTTP to whoever comes. */
async function startRawServer(greeting: string) {
  const server: Server = createServer((socket) => {
    socket
      .on("error", () => undefined)
      .resume()
      .end(greeting);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}
