import { describe, expect, test } from "vitest";
import { fetchText, type OutwardOptions } from "../../src/outbound/outward-get.ts";
import { startHttpTarget } from "../support/http-target.ts";

const options: OutwardOptions = {
  internalHosts: ["127.0.0.1"],
  headers: { "add-padding": "true" },
  timeoutMs: 10_000,
  bytesMax: 1_000,
};
const stranger: OutwardOptions = { ...options, internalHosts: [] };

describe("an outward call", () => {
  test("brings the text, and has the headers that it was given", async () => {
    await using target = await startHttpTarget((request, response) =>
      response.end(`padded: ${request.headers["add-padding"]}`),
    );

    expect(await fetchText(new URL(`${target.url}/range/ABCDE`), options)).toBe("padded: true");
    expect(target.paths).toEqual(["/range/ABCDE"]);
  });

  test("follows no redirect", async () => {
    await using elsewhere = await startHttpTarget((_, response) => response.end("secret"));
    await using target = await startHttpTarget((_, response) =>
      response.writeHead(302, { location: elsewhere.url }).end(),
    );

    await expect(fetchText(new URL(target.url), options)).rejects.toThrow("status 302");
    expect(elsewhere.paths).toEqual([]);
  });

  test("reads no more than it may", async () => {
    await using target = await startHttpTarget((_, response) => {
      const more = setInterval(() => response.write("x".repeat(500)), 1);
      response.on("close", () => clearInterval(more));
    });

    await expect(fetchText(new URL(target.url), options)).rejects.toThrow("more than 1000 bytes");
  });

  test.each([
    ["before", false],
    ["in the middle of", true],
  ])("ends in time %s an answer", async (_, begins) => {
    await using target = await startHttpTarget((_request, response) => {
      if (begins) response.write("x");
    });

    const call = fetchText(new URL(target.url), { ...options, timeoutMs: 200 });

    await expect(call).rejects.toThrow("no answer in time");
  });

  test.each(["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "localhost"])(
    "never goes to %s, however it is spelt, unless it is one's own",
    async (host) => {
      await using target = await startHttpTarget((_, response) => response.end("secret"));
      const url = new URL(`https://${host}:${target.port}/`);

      await expect(fetchText(url, stranger)).rejects.toThrow("the host has a private address");
      expect(target.paths).toEqual([]);
    },
  );

  test("goes without TLS to one's own hosts alone", async () => {
    await using target = await startHttpTarget((_, response) => response.end("secret"));

    await expect(fetchText(new URL(target.url), stranger)).rejects.toThrow("only https is called");
    await expect(fetchText(new URL("file:///etc/passwd"), options)).rejects.toThrow("only https");
    expect(target.paths).toEqual([]);
  });

  test("fails where nobody listens", async () => {
    const target = await startHttpTarget((_, response) => response.end());
    await target[Symbol.asyncDispose]();

    await expect(fetchText(new URL(target.url), options)).rejects.toThrow("no answer");
  });

  test("speaks TLS where the address says so", async () => {
    await using target = await startHttpTarget((_, response) => response.end("in the clear"));

    const call = fetchText(new URL(`https://127.0.0.1:${target.port}`), options);

    await expect(call).rejects.toThrow("no answer");
    expect(target.paths).toEqual([]);
  });
});
