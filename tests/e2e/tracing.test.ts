import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientsOf, refusal, uniqueEmail } from "../support/builders.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const REGISTER = "signet.v1.AuthService/Register";
const GET_USER = "signet.v1.UserService/GetUser";

/** A span as examples/tracing.ts prints it. */
interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly linked: readonly string[];
  readonly status: number;
}

const [SERVER, CLIENT, CONSUMER] = [1, 2, 4];
const [UNSET] = [0];

let opened: SiteOnService;

beforeAll(async () => {
  opened = await openSiteOnService({ NODE_OPTIONS: "--import ./examples/tracing.ts" });
});

afterAll(() => opened[Symbol.asyncDispose]());

function spans(): readonly Span[] {
  const lines = opened.service.stdout().split("\n");
  return lines.filter((line) => line.startsWith('{"name":')).map((line) => JSON.parse(line));
}

const spanOf = (traceId: string, isWanted: (span: Span) => boolean): Promise<Span> =>
  until(() => spans().find((span) => span.traceId === traceId && isWanted(span)));

function traceparent(id: string): { readonly headers: Readonly<Record<string, string>> } {
  return { headers: { traceparent: `00-${id}-b7ad6b7169203331-01` } };
}

describe("with an SDK, a trace", () => {
  test("goes on from its caller into the call, its statements and the mail", async () => {
    const account = { email: uniqueEmail(), password: "correct horse 7" };
    await opened.site.backend.auth.register(account, traceparent(TRACE_ID));

    const call = await spanOf(TRACE_ID, ({ name }) => name === REGISTER);
    const statement = await spanOf(TRACE_ID, ({ attributes }) =>
      String(attributes["db.query.text"]).includes("insert into signet.users"),
    );
    const mail = await until(() => spans().find(({ name }) => name === "process send_mail"));
    const sent = await spanOf(mail.traceId, ({ name }) => name === "send mail");

    expect(call).toMatchObject({ kind: SERVER, parentId: "b7ad6b7169203331", status: UNSET });
    expect(call.attributes).toEqual({ "rpc.system.name": "grpc", "rpc.method": REGISTER });
    expect(statement).toMatchObject({ kind: CLIENT, parentId: call.spanId });
    expect(statement.attributes).toMatchObject({ "db.system.name": "postgresql" });
    expect(mail).toMatchObject({ kind: CONSUMER, linked: [call.spanId] });
    expect(mail.traceId).not.toBe(TRACE_ID);
    expect(sent).toMatchObject({ kind: CLIENT, parentId: mail.spanId });
  });

  test.each([
    ["gRPC", "grpc", () => opened.site.backend],
    ["JSON", "connectrpc", () => overJson()],
  ])("says how a call over %s was refused, and not whom it was about", async (_n, system, of) => {
    const traceId = TRACE_ID.replace("0af7", system === "grpc" ? "1111" : "2222");
    const userId = "01890a5d-ac96-774b-bcce-b302099a8057";
    await refusal(of().users.getUser({ userId }, traceparent(traceId)));

    const call = await spanOf(traceId, ({ name }) => name === GET_USER);

    expect(call.attributes).toMatchObject({ "error.type": "not_found", "rpc.system.name": system });
    expect(call.status).toBe(UNSET); // The caller's doing is no fault of the server.
    expect(JSON.stringify(spans())).not.toContain(userId);
  });

  test("is named by the line of the call", async () => {
    await until(() => opened.service.stderr().includes(`"traceId":"${TRACE_ID}"`));
  });
});

describe("what nobody asked for", () => {
  test("is not traced: the polls of the log", () => {
    const polls = spans().filter(({ attributes }) =>
      String(attributes["db.query.text"]).includes("follow_changes"),
    );

    expect(polls).toEqual([]);
  });
});

function overJson() {
  const { service, site } = opened;
  const options = { baseUrl: service.url, httpVersion: "1.1", useBinaryFormat: false } as const;
  return clientsOf(createConnectTransport(options), site.key);
}
