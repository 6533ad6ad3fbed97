import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { AuthService } from "../../../gen/signet/v1/auth_service_pb.ts";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import {
  createSignetClient,
  errorDetailOf,
  reasonOf,
  type SignetClient,
  type SignetClientOptions,
} from "../../../src/client/index.ts";
import { refusal, startServer } from "./watch-server.ts";

const open: SignetClient[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

function openClient(url: string, options: Partial<SignetClientOptions> = {}): SignetClient {
  const client = createSignetClient({ url, key: "sgn_site_test", ...options });
  open.push(client);
  return client;
}

async function rejection(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.unreachable("the call succeeded"),
    (error: unknown) => error,
  );
}

/** Routes of a server that answers Logout, and notes with what it was called. */
function notingCredentials(seen: (string | null)[]) {
  return (router: ConnectRouter): void => {
    router.rpc(AuthService.method.logout, (_request, { requestHeader }) => {
      seen.push(requestHeader.get("authorization"));
      return {};
    });
  };
}

describe.each(["connect", "grpc"] as const)("a call over %s", (protocol) => {
  test("carries the key, asked for anew at each call, unless it brings a credential", async () => {
    const seen: (string | null)[] = [];
    await using server = await startServer(notingCredentials(seen));
    let number = 0;
    const { auth } = openClient(server.url, { protocol, key: () => `key-${++number}` });

    await auth.logout({});
    await auth.logout({});
    await auth.logout({}, { headers: { authorization: "Bearer of-a-user" } });

    expect(seen).toEqual(["Bearer key-1", "Bearer key-2", "Bearer of-a-user"]);
  });

  test("that may be repeated is tried three times while Signet is UNAVAILABLE", async () => {
    await using server = await startFailing(Code.Unavailable, ErrorReason.SHUTTING_DOWN);
    const { auth } = openClient(server.url, { protocol });

    const error = await rejection(auth.validateToken({ token: "t" }));

    expect(reasonOf(error)).toBe(ErrorReason.SHUTTING_DOWN);
    expect(server.calls()).toBe(3);
  });

  test("that may not be repeated is not", async () => {
    await using server = await startFailing(Code.Unavailable, ErrorReason.UNAVAILABLE);
    const { auth } = openClient(server.url, { protocol });

    const error = await rejection(auth.login({ password: "p" }));

    expect(reasonOf(error)).toBe(ErrorReason.UNAVAILABLE);
    expect(server.calls()).toBe(1);
  });

  test("is not repeated on a server that sheds load", async () => {
    await using server = await startFailing(Code.ResourceExhausted, ErrorReason.OVERLOADED, 500);
    const { auth } = openClient(server.url, { protocol });

    const error = await rejection(auth.validateToken({ token: "t" }));

    expect(errorDetailOf(error)).toMatchObject({ retryDelayMs: 500n });
    expect(server.calls()).toBe(1);
  });

  test("is not repeated where Signet asks to wait for long", async () => {
    await using server = await startFailing(Code.Unavailable, ErrorReason.UNAVAILABLE, 60_000);
    const { auth } = openClient(server.url, { protocol });

    await rejection(auth.validateToken({ token: "t" }));

    expect(server.calls()).toBe(1);
  });

  test("goes on over a new connection where the one at hand is cut", async () => {
    let calls = 0;
    await using server = await startServer((router) => {
      router.rpc(AuthService.method.validateToken, () => {
        if (++calls === 1) server.cut();
        return {};
      });
    });
    const { auth } = openClient(server.url, { protocol });

    await auth.validateToken({ token: "t" });

    expect(calls).toBe(2);
  });

  test("that may not be repeated is UNAVAILABLE where the connection is cut", async () => {
    await using server = await startServer((router) => {
      router.rpc(AuthService.method.login, () => {
        server.cut();
        return {};
      });
    });
    const { auth } = openClient(server.url, { protocol });

    const error = await rejection(auth.login({ password: "p" }));

    expect(error).toMatchObject({ code: Code.Unavailable });
    expect(reasonOf(error)).toBeUndefined();
  });

  test("is UNAVAILABLE over https:// where no TLS is spoken, and says so", async () => {
    await using server = await startServer(() => undefined);
    const { auth } = openClient(server.url.replace("http:", "https:"), { protocol });

    const error = await rejection(auth.login({ password: "p" }));

    expect(error).toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringMatching("does not speak TLS"),
    });
  });

  test("ends with DEADLINE_EXCEEDED, and with CANCELED by the caller's signal", async () => {
    await using server = await startServer((router) => {
      router.rpc(AuthService.method.login, () => new Promise<never>(() => {}));
    });
    const { auth } = openClient(server.url, { protocol, timeoutMs: 100 });
    const signal = AbortSignal.timeout(20);

    const late = await rejection(auth.login({ password: "p" }));
    const cancelled = await rejection(auth.login({ password: "p" }, { signal, timeoutMs: 5_000 }));

    expect(late).toMatchObject({ code: Code.DeadlineExceeded });
    expect(cancelled).not.toMatchObject({ code: Code.Unavailable });
  });

  test("goes to a new connection after a timeout on one that is dead", async () => {
    await using server = await startServer((router) => {
      router.rpc(AuthService.method.login, () => ({}));
    });
    await using relay = await startRelay(server.url);
    const { auth } = openClient(relay.url, { protocol, timeoutMs: 200 });

    await auth.login({ password: "p" });
    relay.silence();
    const late = await Promise.all([1, 2].map(() => rejection(auth.login({ password: "p" }))));
    await auth.login({ password: "p" });

    expect(late).toMatchObject([{ code: Code.DeadlineExceeded }, { code: Code.DeadlineExceeded }]);
    expect(relay.accepted()).toBe(2);
  });
});

describe("a client", () => {
  test("leaves out white space around its key, such as the line end of a file", async () => {
    const seen: (string | null)[] = [];
    await using server = await startServer(notingCredentials(seen));

    await openClient(server.url, { key: " sgn_site_test\r\n" }).auth.logout({});

    expect(seen).toEqual(["Bearer sgn_site_test"]);
  });

  test("refuses a key that cannot stand in a header, without showing it", async () => {
    const key = "sgn_site_one\nsgn_site_two";
    const { auth } = openClient("http://127.0.0.1:1", { key: () => key });

    const late = await rejection(auth.logout({}));

    expect(() => openClient("http://127.0.0.1:1", { key })).toThrow(/^the key has a character/);
    expect(String(late)).toBe(
      "TypeError: the key has a character that no key has: was it copied as a whole?",
    );
  });

  test("frees its connections when it is closed", async () => {
    await using server = await startServer((router) => {
      router.rpc(AuthService.method.logout, () => ({}));
    });
    const client = openClient(server.url);
    await client.auth.logout({});

    client.close();

    await expect.poll(server.connections).toBe(0);
  });

  test.each(["", "localhost:5678", "ftp://localhost", "not a url"])(
    "refuses %j as an address",
    (url) => {
      expect(() => createSignetClient({ url, key: "k" })).toThrow(TypeError);
    },
  );
});

/** A server whose every call fails, and which counts them. */
async function startFailing(code: Code, reason: ErrorReason, retryDelayMs = 0) {
  let calls = 0;
  const fail = () => {
    calls++;
    throw refusal(code, reason, retryDelayMs);
  };
  const server = await startServer((router: ConnectRouter) => {
    router.rpc(AuthService.method.validateToken, fail).rpc(AuthService.method.login, fail);
  });
  return { ...server, calls: () => calls };
}

/** Passes bytes on; the connections of the time of `silence` hear nothing from then on. */
async function startRelay(url: string) {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((near) => {
    accepted++;
    const far = connect(Number(new URL(url).port), "127.0.0.1");
    for (const socket of [near, far]) sockets.add(socket.on("error", () => socket.destroy()));
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted: () => accepted,
    silence() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), "close");
    },
  };
}
