import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:http2";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";

/** An answer as it came, without decoding. */
interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const PAGE =
  '<meta property="csp-nonce" nonce="__signet_csp_nonce__">' +
  '<script src="/console/assets/main-1a2b.js"></script>';
const SCRIPT = `console.log("${"x".repeat(2_000)}")`;

let folder: string;
let plain: EdgeProcess;
let secure: EdgeProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signet-console-"));
  await mkdir(join(folder, "built", "assets"), { recursive: true });
  await writeFile(join(folder, "built", "index.html"), PAGE);
  await writeFile(join(folder, "built", "assets", "main-1a2b.js"), SCRIPT);
  await writeFile(join(folder, "secret.txt"), "not for anybody");
  const [certFile, keyFile] = makeCertificate();
  const consoleFolder = join(folder, "built");
  [plain, secure] = await Promise.all([
    startEdgeProcess({ consoleFolder }),
    startEdgeProcess({ consoleFolder, tls: { certFile, keyFile } }),
  ]);
});

afterAll(async () => {
  await Promise.all([plain, secure].map((server) => server?.[Symbol.asyncDispose]()));
  await rm(folder, { recursive: true });
});

describe("the page of the console", () => {
  test.each([
    "/console",
    "/console/",
    "/console/sites/1/users",
    "/console/assets",
    "/console/a/b/c",
  ])("is served at %s", async (path) => {
    const { status, headers, body } = await overHttp1(path);

    expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(body.toString()).toContain("/console/assets/main-1a2b.js");
  });

  test("lets only files of its own origin in, and styles by a value used once", async () => {
    const answers = await Promise.all([overHttp1("/console"), overHttp1("/console")]);

    const nonces = answers.map(({ headers, body }) => {
      const nonce = /nonce="([^"]+)"/.exec(body.toString())?.[1] ?? "";
      expect(headers["content-security-policy"]).toBe(
        `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; ` +
          "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
          "frame-ancestors 'none'",
      );
      return nonce;
    });
    expect(nonces[0]).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    expect(nonces[0]).not.toBe(nonces[1]);
    expect(answers[0].headers).toMatchObject({
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(answers[0].headers.etag).toBeUndefined();
  });

  test("cannot be posted to", async () => {
    expect(await overHttp1("/console", { method: "POST" })).toMatchObject({ status: 405 });
  });
});

describe("an asset of the console", () => {
  const path = "/console/assets/main-1a2b.js";

  test("may be kept for ever", async () => {
    const { status, headers, body } = await overHttp1(path);

    expect([status, body.toString()]).toEqual([200, SCRIPT]);
    expect(headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
      vary: "accept-encoding",
    });
  });

  test("is compressed for whoever understands it", async () => {
    const zipped = await overHttp1(path, { encoding: "br, gzip;q=0.8" });
    const refused = await overHttp1(path, { encoding: "gzip;q=0, identity" });

    expect(zipped.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(zipped.body).toString()).toBe(SCRIPT);
    expect([refused.headers["content-encoding"], refused.body.toString()]).toEqual([
      undefined,
      SCRIPT,
    ]);
  });

  test.each([
    "/console/assets/../../secret.txt",
    "/console/assets/..%2f..%2fsecret.txt",
    "/console/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
    "/console/assets/..%5c..%5csecret.txt",
    "/console/assets/..%00",
    "/console/assets//etc/passwd",
    "/console/assets/constructor",
    "/console/assets/index.html",
  ])("is none at %s", async (hostile) => {
    const { status, body } = await overHttp1(hostile);

    expect(body.toString()).not.toMatch(/not for anybody|root:/);
    // What has more segments than an asset is a page, which finds nothing to show.
    expect([404, 200]).toContain(status);
    if (status === 200) expect(body.toString()).toContain("csp-nonce");
  });

  test("is told by its tag to have stayed the same", async () => {
    const { headers } = await overHttp1(path);

    const again = await overHttp1(path, { tag: headers.etag ?? "" });

    expect([again.status, again.body.length]).toEqual([304, 0]);
  });
});

describe("the console is the same", () => {
  test("over HTTP/2 in clear text", async () => {
    const answer = await overHttp2(
      `http://127.0.0.1:${plain.port}`,
      "/console/assets/main-1a2b.js",
    );

    expect([answer.status, answer.body.toString()]).toEqual([200, SCRIPT]);
  });

  test("over TLS with either protocol", async () => {
    const origin = `https://127.0.0.1:${secure.port}`;
    const [first, second] = await Promise.all([
      overHttp2(origin, "/console/assets/main-1a2b.js"),
      overHttp1("/console/assets/main-1a2b.js", { port: secure.port }),
    ]);

    expect([first.body.toString(), second.body.toString()]).toEqual([SCRIPT, SCRIPT]);
    for (const { headers } of [first, second]) {
      expect(headers["strict-transport-security"]).toBe("max-age=31536000");
    }
  });
});

test("without a build a sentence says how to make one, and a later build is found", async () => {
  const consoleFolder = join(folder, "later");
  await using server = await startEdgeProcess({ consoleFolder });

  const before = await overHttp1("/console/sites", { port: server.port });
  await mkdir(join(consoleFolder, "assets"), { recursive: true });
  await writeFile(join(consoleFolder, "index.html"), PAGE);
  const after = await overHttp1("/console/sites", { port: server.port });

  expect([before.status, before.headers["content-type"]]).toEqual([
    404,
    "text/plain; charset=utf-8",
  ]);
  expect(before.body.toString()).toContain("npm run build:console");
  expect(after.status).toBe(200);
});

/** Asks with the path as it stands; `fetch` would take dots and codes out of it. */
function overHttp1(
  path: string,
  options: {
    readonly method?: string;
    readonly encoding?: string;
    readonly tag?: string;
    readonly port?: number;
  } = {},
): Promise<Answer> {
  const port = options.port ?? plain.port;
  const headers = {
    ...(options.encoding !== undefined && { "accept-encoding": options.encoding }),
    ...(options.tag !== undefined && { "if-none-match": options.tag }),
  };
  const { method = "GET" } = options;
  const target = { host: "127.0.0.1", port, path, method, headers, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const ask = port === secure.port ? httpsRequest : httpRequest;
    const request = ask(target, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode: status = 0, headers: answered } = response;
        resolve({ status, headers: answered, body: Buffer.concat(chunks) });
      });
    });
    request.on("error", reject);
    request.end();
  });
}

function overHttp2(origin: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(origin, { rejectUnauthorized: false });
    session.on("error", reject);
    const stream = session.request({ ":path": path });
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders = {};
    stream.on("response", (answered) => {
      headers = answered as IncomingHttpHeaders;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve({ status: Number(headers[":status"]), headers, body: Buffer.concat(chunks) });
    });
  });
}

function makeCertificate(): readonly [string, string] {
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", keyFile, "-out", certFile];
  execFileSync("openssl", ["req", "-x509", ...curve, ...names, ...files], { stdio: "ignore" });
  return [certFile, keyFile];
}
