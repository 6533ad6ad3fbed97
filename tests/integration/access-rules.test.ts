import {
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  getOption,
  hasOption,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AccessRule, access, Scope } from "../../gen/signet/v1/access_pb.ts";
import {
  type Clients,
  clientsOf,
  createKey,
  createSite,
  logIn,
  openSite,
  patiently,
  refusalOf,
  type SignedIn,
  signUp,
  withCredential,
} from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { startService, type TestService } from "../support/service.ts";
import { signetServices } from "../support/signet-services.ts";

/** A kind of caller, and what a rule says of it. */
interface Caller {
  readonly name: string;
  /** A User's is fresh for each call, since some calls void what the User has. */
  readonly credential: () => Promise<string | undefined>;
  /** Fields that the caller sends where a request has them. */
  readonly siteId: string;
  expectedOf(rule: AccessRule): Outcome;
}

type Outcome = "admitted" | "CREDENTIAL_INVALID" | "ACCESS_DENIED";

const SCOPES = Object.values(Scope).filter((scope) => scope !== Scope.UNSPECIFIED);
const services: readonly DescService[] = await signetServices();
const methods = services.flatMap((service) => service.methods);

let database: TestDatabase;
let service: TestService;
let callers: readonly Caller[];

beforeAll(async () => {
  database = await openTestDatabase();
  service = await startService({ databaseUrl: database.appUrl });
  callers = await findCallers(createGrpcTransport({ baseUrl: service.url }));
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("the contract", () => {
  test("has the four services", () => {
    const names = services.map(({ typeName }) => typeName).sort();

    expect(names).toEqual([
      "signet.v1.AuthService",
      "signet.v1.SiteService",
      "signet.v1.SyncService",
      "signet.v1.UserService",
    ]);
  });

  test.each(methods.map((method) => [nameOf(method), method] as const))(
    "gives %s an access rule that admits somebody",
    (_name, method) => {
      expect(hasOption(method, access)).toBe(true);
      const { anyone, public: isPublic, operator, scopes, user, admin } = getOption(method, access);
      expect([anyone, isPublic, operator, user, admin, scopes.length > 0]).toContain(true);
      expect(scopes).not.toContain(Scope.UNSPECIFIED);
    },
  );
});

describe("the gate", () => {
  test.each(methods.map((method) => [nameOf(method), method] as const))(
    "admits to %s whom its rule names, and nobody else",
    async (_name, method) => {
      const rule = getOption(method, access);
      const transport = createGrpcTransport({ baseUrl: service.url });
      const outcomes = await Promise.all(
        callers.map(async (caller) => [caller.name, await outcomeOf(transport, method, caller)]),
      );

      expect(Object.fromEntries(outcomes)).toEqual(
        Object.fromEntries(callers.map((caller) => [caller.name, caller.expectedOf(rule)])),
      );
    },
  );
});

async function findCallers(transport: Transport): Promise<Caller[]> {
  const operator = clientsOf(transport, service.operatorKey);
  const { siteId, backend } = await openSite(transport, service.operatorKey);
  const publicSiteId = await createSite(operator, { publicCalls: true });
  const keys = await Promise.all(
    SCOPES.map((scope) => createKey(operator, siteId, { scopes: [scope] })),
  );
  const publicBackend = clientsOf(transport, await createKey(operator, publicSiteId));
  const user = await signUp(backend);
  const publicUser = await signUp(publicBackend);
  const admin = await signUp(backend);
  await operator.users.updateUser({ siteId, userId: admin.userId, roles: { roles: ["admin"] } });

  const isPublic = (rule: AccessRule): Outcome =>
    rule.public || rule.anyone ? "admitted" : "CREDENTIAL_INVALID";
  const unlessAnyone = (rule: AccessRule): Outcome =>
    rule.anyone ? "admitted" : "CREDENTIAL_INVALID";
  const where = (holds: (rule: AccessRule) => boolean) => {
    return (rule: AccessRule): Outcome =>
      rule.anyone || holds(rule) ? "admitted" : "ACCESS_DENIED";
  };
  return [
    caller("anonymous", fixed(undefined), unlessAnyone),
    caller("anonymous on a Site", fixed(undefined), unlessAnyone, siteId),
    caller("anonymous on a Site with public calls", fixed(undefined), isPublic, publicSiteId),
    caller("bad credential", fixed("sgn_site_bad"), () => "CREDENTIAL_INVALID", publicSiteId),
    caller(
      "operator",
      fixed(service.operatorKey),
      where((rule) => rule.operator),
    ),
    caller(
      "user",
      freshToken(backend, user),
      where((rule) => rule.user),
    ),
    caller(
      "user of a Site with public calls",
      freshToken(publicBackend, publicUser),
      where((rule) => rule.user || rule.public),
    ),
    caller(
      "admin",
      freshToken(backend, admin),
      where((rule) => rule.user || rule.admin),
    ),
    ...SCOPES.map((scope, n) =>
      caller(
        `key with scope ${scope}`,
        fixed(keys[n]),
        where((rule) => rule.scopes.includes(scope)),
      ),
    ),
  ];
}

function fixed(credential: string | undefined): Caller["credential"] {
  return async () => credential;
}

function freshToken(backend: Clients, { email, password }: SignedIn): Caller["credential"] {
  return async () => (await patiently(() => logIn(backend, email, password))).accessToken;
}

function caller(
  name: string,
  credential: Caller["credential"],
  expectedOf: Caller["expectedOf"],
  siteId = "",
): Caller {
  return { name, credential, expectedOf, siteId };
}

/** Calls with an empty request, which the gate lets through and the RPC itself then refuses. */
async function outcomeOf(
  transport: Transport,
  method: DescMethod,
  caller: Caller,
): Promise<Outcome> {
  const { siteId } = caller;
  const credential = await caller.credential();
  const as = credential === undefined ? transport : withCredential(transport, credential);
  const hasSite = method.input.field.siteId !== undefined;
  const message = { ...(hasSite && { siteId }), ...HARMLESS[nameOf(method)] };
  const error = await firstAnswer(as, method, message);
  if (error === undefined) return "admitted";
  const { reason } = refusalOf(error);
  return reason === "CREDENTIAL_INVALID" || reason === "ACCESS_DENIED" ? reason : "admitted";
}

/** An empty request of these would do something to the caller itself. */
const HARMLESS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "AuthService.Logout": { refreshToken: "sgn_rt_none" },
};

/** Returns the error of a call or of the first message of a stream; undefined: there is none. */
async function firstAnswer(
  transport: Transport,
  method: DescMethod,
  message: Readonly<Record<string, string>>,
): Promise<unknown> {
  const leaving = new AbortController();
  try {
    if (method.methodKind === "unary") {
      await transport.unary(method as DescMethodUnary, leaving.signal, 10_000, undefined, message);
      return undefined;
    }
    const input = (async function* () {
      yield message;
    })();
    const answer = await transport.stream(
      method as DescMethodStreaming,
      leaving.signal,
      10_000,
      undefined,
      input,
    );
    await answer.message[Symbol.asyncIterator]().next();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    leaving.abort();
  }
}

function nameOf(method: DescMethod): string {
  return `${method.parent.name}.${method.name}`;
}
