import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { WORDS } from "../../src/console/pages/words/words.ts";
import {
  addressOf,
  bringVerified,
  type HostedSite,
  isVerified,
  newPerson,
  openHostedSite,
  openPage,
  sendForm,
  tokenOf,
} from "../support/hosted-site.ts";
import { connectRaw } from "../support/raw-http2.ts";

const folder = mkdtempSync(join(tmpdir(), "signet-pages-"));
const PASSWORD = "four blue lamps hum";
const FORM = "application/x-www-form-urlencoded";

let site: HostedSite;

beforeAll(async () => {
  site = await openHostedSite({ SIGNET_TRUSTED_PROXIES: "127.0.0.1" });
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe("a link", () => {
  test("is not used by who only opens it, however often; what is sent uses it once", async () => {
    const person = newPerson("en", PASSWORD);
    const link = await site.links.verify(person);
    for (let n = 0; n < 3; n += 1) expect((await openPage(link)).status).toBe(200);
    const head = await fetch(link, { method: "HEAD" });
    expect(await isVerified(site, person.email)).toBe(false);

    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => sendForm(link, { token: tokenOf(link) })),
    );

    expect(head.status).toBe(200);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404]);
    expect(await isVerified(site, person.email)).toBe(true);
  });

  test("leads to a page that runs nothing, is not kept and does not tell its token", async () => {
    const link = await site.links.reset(await bringVerified(site, PASSWORD));

    const response = await fetch(link);
    const { headers } = response;
    const page = await response.text();

    const policy = headers.get("content-security-policy") ?? "";
    const nonce = /<style nonce="([\da-f]{32})">/.exec(page)?.[1];
    expect(policy.split("; ").sort()).toEqual([
      "base-uri 'none'",
      "default-src 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      `style-src 'nonce-${nonce}'`,
    ]);
    expect(Object.fromEntries(headers)).toMatchObject({
      "cache-control": "no-store",
      "content-type": "text/html; charset=utf-8",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "content-language": "en",
    });
    expect(headers.get("etag")).toBeNull();
    expect(page).not.toMatch(/<script|<link|<img|javascript:| on\w+=/i);
    expect(page.split(tokenOf(link))).toHaveLength(2);
    expect(page).toContain(`<input type="hidden" name="token" value="${tokenOf(link)}">`);
  });

  test("that is used, unknown, of another page or of another Site is told alike", async () => {
    const used = await site.links.verify(newPerson("en", PASSWORD));
    await sendForm(used, { token: tokenOf(used) });
    const other = await site.open({ name: "Other" });
    const { email } = newPerson();
    const registered = { email, password: PASSWORD, delivery: Delivery.RETURN_TOKEN };
    const { oneTimeToken } = await other.backend.auth.register(registered);
    const page = addressOf(used);
    const tokens = [
      tokenOf(used),
      tokenOf(used).replace(/.{4}$/, "AAAA"),
      tokenOf(await site.links.reset(await bringVerified(site, PASSWORD))),
      oneTimeToken?.token ?? "",
      "x".repeat(9_000),
    ];

    const opened = await Promise.all(tokens.map((token) => openPage(`${page}?token=${token}`)));
    const sent = await Promise.all(tokens.map((token) => sendForm(page, { token })));

    expect(new Set([...opened, ...sent].map(({ status }) => status))).toEqual(new Set([404]));
    expect(new Set([...opened, ...sent].map((answer) => answer.page)).size).toBe(1);
  });

  test("keeps working where a password of names is refused, in its own language", async () => {
    for (const language of ["en", "de"] as const) {
      const link = await site.links.invite(newPerson(language));
      const send = (password: string) =>
        sendForm(link, { token: tokenOf(link), lang: language, password, repeat: password });

      const refused = await send("Bücher-Café-2026");
      const accepted = await send(PASSWORD);

      expect([refused.status, accepted.status]).toEqual([422, 200]);
      expect(refused.page).toContain(WORDS[language].passwordOfNames);
    }
  });

  test("to a Site that does not exist leads nowhere", async () => {
    const link = await site.links.reset(await bringVerified(site, PASSWORD));
    const { siteId } = site;

    const [foreign, malformed] = await Promise.all(
      [randomUUID(), "%00"].map((id) => openPage(link.replace(siteId, id))),
    );

    expect(foreign?.status).toBe(404);
    expect(malformed?.status).toBe(404);
    expect(foreign?.page ?? "").toBe(malformed?.page ?? "");
  });
});

describe("what is no form of ours is refused and uses nothing:", () => {
  test.each([
    ["another content type", "application/json", '{"token":"TOKEN"}', 415],
    ["a form with files", "multipart/form-data; boundary=x", "--x--", 415],
    ["plain text, which pages of others may send", "text/plain", "token=TOKEN", 415],
    ["another character set", `${FORM}; charset=utf-16`, "token=TOKEN", 415],
    ["a field twice", FORM, "token=TOKEN&token=TOKEN", 400],
    ["a body of a megabyte", FORM, `token=TOKEN&password=${"x".repeat(1_048_576)}`, 413],
  ])("%s", async (_what, type, body, status) => {
    const person = newPerson("en", PASSWORD);
    const link = await site.links.verify(person);

    const response = await fetch(addressOf(link), {
      method: "POST",
      headers: { "content-type": type },
      body: body.replaceAll("TOKEN", tokenOf(link)),
    });

    expect(response.status).toBe(status);
    expect(await isVerified(site, person.email)).toBe(false);
    expect((await openPage(link)).status).toBe(200);
  });

  test("a body without a length that does not end", async () => {
    const link = await site.links.verify(newPerson("en", PASSWORD));
    const { port } = site.service;
    const socket = await connectRaw(port);
    const answered = text(socket);
    socket.write(
      `POST ${new URL(link).pathname} HTTP/1.1\r\nhost: x\r\ncontent-type: ${FORM}\r\n` +
        "transfer-encoding: chunked\r\n\r\n",
    );
    for (let n = 0; n < 5; n += 1) socket.write(`1000\r\n${"x".repeat(4_096)}\r\n`);

    expect(await answered).toMatch(/^HTTP\/1\.1 413 /);
    expect((await openPage(link)).status).toBe(200);
  });

  test("another method", async () => {
    const link = await site.links.verify(newPerson("en", PASSWORD));

    const response = await fetch(link, { method: "PUT", body: "token=x" });

    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
  });
});

test("nothing that is sent becomes a header or markup", async () => {
  const person = newPerson();
  const link = await site.links.invite(person);
  const injected = `a"><script>x</script>\r\nset-cookie: a=b`;
  const query = `lang=${encodeURIComponent(injected)}&token=${tokenOf(link)}`;

  const opened = await openPage(`${addressOf(link)}?${query}`, { "accept-language": "x;q=\u00e9" });
  const fields = { lang: injected, username: injected, password: PASSWORD, repeat: PASSWORD };
  const sent = await sendForm(link, {
    token: tokenOf(link),
    ...fields,
    redirect_url: "https://x.test",
  });

  expect(sent.status).toBe(422);
  for (const { headers, page } of [opened, sent]) {
    expect(headers.get("set-cookie")).toBeNull();
    expect(headers.get("content-language")).toBe("en");
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<Café>");
  }
});

test("pages are served over HTTP/2 as well", async () => {
  const person = newPerson("de", PASSWORD);
  const link = new URL(await site.links.verify(person));
  const session = connectHttp2(site.service.url);
  const form = { ":method": "POST", ":path": link.pathname, "content-type": FORM };

  const opened = await overHttp2(session, { ":path": link.pathname + link.search });
  const large = await overHttp2(session, form, `password=${"x".repeat(40_000)}`);
  const done = await overHttp2(session, form, `token=${tokenOf(link.href)}&lang=de`);
  session.close();

  expect(opened).toMatchObject({ status: 200, page: expect.stringContaining("bestätigen") });
  expect(large.status).toBe(413);
  expect(done).toMatchObject({ status: 200, page: expect.stringContaining("ist bestätigt") });
  expect(await isVerified(site, person.email)).toBe(true);
});

test("pages are served over TLS, with HTTP/1.1 and HTTP/2", async () => {
  const link = new URL(await site.links.verify(newPerson("en", PASSWORD)));
  const { ca, variables } = makeCertificate();
  await using service = await site.startAnother(variables);
  const address = `https://127.0.0.1:${service.port}`;
  const path = link.pathname + link.search;
  const session = connectHttp2(address, { ca });

  const first = await new Promise<number | undefined>((resolve, reject) => {
    get(address + path, { ca }, (answer) => resolve(answer.resume().statusCode)).on(
      "error",
      reject,
    );
  });
  const second = await overHttp2(session, { ":path": path });
  session.close();

  expect([first, second.status]).toEqual([200, 200]);
});

async function overHttp2(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body = "",
) {
  const stream = session.request(headers);
  const status = new Promise<number | undefined>((resolve) => {
    stream.once("response", (answer) => resolve(answer[":status"]));
  });
  if (body !== "") stream.end(body); // A GET has ended by itself.
  const page = await text(stream);
  return { status: await status, page };
}

function makeCertificate() {
  const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const out = ["-keyout", files.keyFile, "-out", files.certFile];
  execFileSync("openssl", ["req", "-x509", ...key, ...names, ...out], { stdio: "ignore" });
  return {
    ca: readFileSync(files.certFile),
    variables: {
      SIGNET_TLS_CERT_FILE: files.certFile,
      SIGNET_TLS_KEY_FILE: files.keyFile,
    },
  };
}
