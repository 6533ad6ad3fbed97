import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signUp } from "../support/builders.ts";
import type { EdgeProxy, ProxiedServices } from "../support/edge-proxy.ts";
import {
  callWithHeaders,
  type HeaderAnswer,
  type HeaderCall,
  type HeaderList,
} from "../support/header-call.ts";
import type { SeenRequest } from "../support/header-mirror.ts";
import {
  bearerOf,
  identityOf,
  openProxiedSite,
  type ProxiedSite,
  TOKEN_COOKIE,
} from "../support/proxied-site.ts";
import {
  identityIn,
  SPOOFED_TRAILERS,
  sendLines,
  spoofedHeaders,
} from "../support/spoofed-identity.ts";

/** What the tests of one proxy alone work with. */
export interface ProxyTrial {
  /** What is running; only within a test. */
  opened(): ProxiedSite;
  /** Makes a request to the proxy with exactly these headers. */
  ask(path: string, headers: HeaderList, call?: HeaderCall): Promise<HeaderAnswer>;
}

/**
 * Describes what holds for an app behind any proxy, as its example configures it; `further` adds
 * what holds for this one.
 */
export function describeProxiedApp(
  name: string,
  startProxy: (services: ProxiedServices) => Promise<EdgeProxy>,
  further: (trial: ProxyTrial) => void,
): void {
  describe(name, () => {
    let opened: ProxiedSite;

    beforeAll(async () => {
      opened = await openProxiedSite(startProxy);
    });

    afterAll(() => opened[Symbol.asyncDispose]());

    const ask = (path: string, headers: HeaderList, call?: HeaderCall) =>
      callWithHeaders(`${opened.proxy.url}${path}`, headers, call);
    const trial = { opened: () => opened, ask };

    describeKnowledge(trial);
    describeAdmission(trial);
    further(trial);
  });
}

function describeKnowledge({ opened, ask }: ProxyTrial): void {
  test("learns who the User is, by a token or by the cookie", async () => {
    const { user } = opened();

    const byToken = await ask("/reports?year=2026", bearerOf(user));
    const byCookie = await ask("/", [["Cookie", `${TOKEN_COOKIE}=${user.accessToken}`]]);

    expect(identityIn(byToken)).toEqual(identityOf(opened(), user));
    expect(identityIn(byCookie)).toEqual(identityOf(opened(), user));
    expect(JSON.parse(byToken.body)).toMatchObject({ path: "/reports?year=2026" });
  });

  test.each(spoofedHeaders())("learns nothing that a client says itself: $way", async (spoof) => {
    const { user } = opened();

    const known = await ask("/", [...bearerOf(user), ...spoof.headers]);
    const unknown = await ask("/public/", spoof.headers);

    expect(identityIn(known)).toEqual(identityOf(opened(), user));
    expect(identityIn(unknown)).toEqual([]);
  });

  test("learns nothing that a client says behind the body", async () => {
    const trailer = SPOOFED_TRAILERS.map(([name]) => name).join(", ");
    const chunked: HeaderList = [
      ["Trailer", trailer],
      ["Transfer-Encoding", "chunked"],
    ];
    const call = { method: "POST", body: "hello", trailers: SPOOFED_TRAILERS };

    const known = await ask("/", [...bearerOf(opened().user), ...chunked], call);
    const unknown = await ask("/public/", chunked, call);

    expect(identityIn(known)).toEqual(identityOf(opened(), opened().user));
    expect(identityIn(unknown)).toEqual([]);
  });

  test.each(["X-User-Id : mallory", "X-User-Id\t: mallory", " X-User-Id: mallory"])(
    "learns nothing of a malformed line: %j",
    async (line) => {
      const { host } = new URL(opened().proxy.url);
      const lines = ["GET /public/ HTTP/1.1", `Host: ${host}`, "Connection: close", line];

      expect(await sendLines(opened().proxy.port, lines)).not.toContain("mallory");
    },
  );

  test("learns of no address but a verified one, whatever a client says", async () => {
    const { backend } = opened().signet.site;
    const eve = await signUp(backend);
    await backend.users.updateUser({ userId: eve.userId, emailVerified: false });

    for (const { headers } of spoofedHeaders()) {
      const answer = await ask("/", [...bearerOf(eve), ...headers]);
      expect(identityIn(answer)).toEqual(identityOf(opened(), { ...eve, email: "" }));
    }
  });
}

function describeAdmission({ opened, ask }: ProxyTrial): void {
  test("is not reached without a good token", async () => {
    const reached = opened().app.paths.length;

    const none = await ask("/", []);
    const bad = await ask("/", bearerOf({ accessToken: "x" }));
    const spoofed = await ask("/", spoofedHeaders()[0]?.headers ?? []);

    expect(none).toMatchObject({
      status: 401,
      headers: { "www-authenticate": 'Bearer realm="signet"' },
    });
    expect(bad).toMatchObject({ status: 401 });
    expect(spoofed).toMatchObject({ status: 401 });
    expect(opened().app.paths).toHaveLength(reached);
  });

  test("is reached where a role is asked for by those who have it alone", async () => {
    const { user, admin } = opened();

    const refused = await ask("/admin/", bearerOf(user));
    const admitted = await ask("/admin/", bearerOf(admin));

    expect(refused).toMatchObject({ status: 403 });
    expect(identityIn(admitted)).toEqual(identityOf(opened(), admin, "admin"));
  });

  test.each([
    "/public/../admin/",
    "/public/%2e%2e/admin/",
    "/public/..%2fadmin/",
    "/public/%2e%2e%2fadmin/",
    "//admin/",
    "/./admin/",
    "/%61dmin/",
  ])("is not reached there by a roundabout path: %s", async (path) => {
    const reached = opened().app.paths.length;
    const [authorization = ["", ""]] = bearerOf(opened().user);
    const { host } = new URL(opened().proxy.url);
    const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, "Connection: close"];

    const answer = await sendLines(opened().proxy.port, [...lines, authorization.join(": ")]);

    expect(answer).toMatch(/^HTTP\/1\.1 40[034] /);
    expect(opened().app.paths).toHaveLength(reached);
  });

  test("gets the body of a request that was asked about", async () => {
    const type: HeaderList = [["Content-Length", "5"]];

    const answer = await ask("/", [...bearerOf(opened().user), ...type], {
      method: "POST",
      body: "hello",
    });

    const { method, headers } = JSON.parse(answer.body) as SeenRequest;
    expect(method).toBe("POST");
    expect(headers).toContainEqual(["Content-Length", "5"]);
  });

  test("sends a browser without a token to the login page, and nobody else", async () => {
    const page = await ask("/", [["Accept", "text/html,*/*"]]);
    const script = await ask("/", [["Accept", "application/json"]]);
    const form = await ask(
      "/",
      [
        ["Accept", "text/html"],
        ["Content-Length", "1"],
      ],
      { method: "POST", body: "x" },
    );

    expect(page).toMatchObject({
      status: 302,
      headers: { location: "https://login.example.com/" },
    });
    expect(script).toMatchObject({ status: 401 });
    expect(form).toMatchObject({ status: 401 });
  });
}
