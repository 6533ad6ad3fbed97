import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { AuthService, Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import {
  type CreateApiKeyRequestSchema,
  type CreateSiteRequestSchema,
  SiteService,
} from "../../gen/signet/v1/site_service_pb.ts";
import { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { UserService } from "../../gen/signet/v1/user_service_pb.ts";

/** The services, called with one credential. */
export interface Clients {
  readonly auth: Client<typeof AuthService>;
  readonly sites: Client<typeof SiteService>;
  readonly users: Client<typeof UserService>;
  readonly sync: Client<typeof SyncService>;
}

/** A person with a verified address and a Session. */
export interface SignedIn {
  readonly userId: string;
  readonly email: string;
  readonly password: string;
  readonly sessionId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** A Site, and a backend of it whose key may do everything. */
export interface TestSite {
  readonly siteId: string;
  readonly key: string;
  readonly backend: Clients;
}

/** How a call was refused, as far as programs may rely on it. */
export interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryDelayMs: number;
}

/** Every scope but `peer`, which belongs to another Signet. */
const ALL_SCOPES: readonly Scope[] = [
  Scope.AUTH,
  Scope.AUTH_TOKENS,
  Scope.USERS_READ,
  Scope.USERS_WRITE,
  Scope.SYNC,
  Scope.SITE_ADMIN,
];

/** With these answers nothing has happened, or it may be asked for again. */
const TRY_AGAIN = ["OVERLOADED", "UNAVAILABLE"];
const ATTEMPTS_MAX = 20;

/** Makes clients that send one credential; none: an anonymous caller. */
export function clientsOf(transport: Transport, credential?: string): Clients {
  const as = credential === undefined ? transport : withCredential(transport, credential);
  return {
    auth: createClient(AuthService, as),
    sites: createClient(SiteService, as),
    users: createClient(UserService, as),
    sync: createClient(SyncService, as),
  };
}

/** Makes clients over gRPC. */
export function grpcClients(baseUrl: string, credential?: string): Clients {
  return clientsOf(createGrpcTransport({ baseUrl }), credential);
}

/** Adds a credential to each call of a transport, whatever it speaks. */
export function withCredential(transport: Transport, credential: string): Transport {
  const authorized = (header: ConstructorParameters<typeof Headers>[0]): Headers => {
    const headers = new Headers(header);
    headers.set("authorization", `Bearer ${credential}`);
    return headers;
  };
  return {
    unary: (method, signal, timeoutMs, header, input, values) =>
      transport.unary(method, signal, timeoutMs, authorized(header), input, values),
    stream: (method, signal, timeoutMs, header, input, values) =>
      transport.stream(method, signal, timeoutMs, authorized(header), input, values),
  };
}

/** Creates a Site with a domain of its own. */
export async function createSite(
  operator: Clients,
  settings: MessageInitShape<typeof CreateSiteRequestSchema> = {},
): Promise<string> {
  const domain = `${unique("site")}.example.com`;
  const { site } = await operator.sites.createSite({
    name: "Test",
    domains: [domain],
    frontendUrl: `https://${domain}`,
    ...settings,
  });
  return site?.id ?? "";
}

/** Creates a site key, by default with every scope, and returns its secret. */
export async function createKey(
  operator: Clients,
  siteId: string,
  settings: MessageInitShape<typeof CreateApiKeyRequestSchema> = {},
): Promise<string> {
  const scopes = [...ALL_SCOPES];
  const key = { siteId, label: "test", scopes, ...settings };
  return (await operator.sites.createApiKey(key)).secret;
}

/** Creates a Site, a key with every scope, and clients with it. */
export async function openSite(
  transport: Transport,
  operatorKey: string,
  settings: MessageInitShape<typeof CreateSiteRequestSchema> = {},
): Promise<TestSite> {
  const operator = clientsOf(transport, operatorKey);
  const siteId = await createSite(operator, settings);
  const key = await createKey(operator, siteId);
  return { siteId, key, backend: clientsOf(transport, key) };
}

/** Registers a person, verifies the address with the returned token, and signs in. */
export async function signUp({ auth }: Clients, email = uniqueEmail()): Promise<SignedIn> {
  const password = unique("correct horse");
  const delivery = Delivery.RETURN_TOKEN;
  const { userId, oneTimeToken } = await auth.register({ email, password, delivery });
  await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
  return { userId, email, password, ...(await logIn({ auth }, email, password)) };
}

/** Signs in, and returns the Session's first tokens. */
export async function logIn(
  { auth }: Pick<Clients, "auth">,
  email: string,
  password: string,
): Promise<Pick<SignedIn, "sessionId" | "accessToken" | "refreshToken">> {
  const identifier = { case: "email", value: email } as const;
  const { result } = await auth.login({ identifier, password });
  if (result.case !== "session") throw new Error(`the login answered with ${result.case}`);
  const { tokens, session } = result.value;
  if (!tokens || !session) throw new Error("the login answered without a Session or its tokens");
  const { accessToken, refreshToken } = tokens;
  return { sessionId: session.id, accessToken, refreshToken };
}

/** Returns an address that no other test has. */
export function uniqueEmail(): string {
  return `${unique("user")}@example.com`;
}

/** Returns a name that no other test has. */
export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString("hex")}`;
}

/** Repeats a call as long as the service has too much to do, as a client would. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const { reason, retryDelayMs } = refusalOf(error);
      if (!TRY_AGAIN.includes(reason) || attempt === ATTEMPTS_MAX) throw error;
      await sleep(retryDelayMs * (1 + Math.random()));
    }
  }
}

/** Returns how a call is refused; fails if it is not. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error("the call was not refused");
  return refusalOf(error);
}

/** Reads the code and the detail of an error. */
export function refusalOf(error: unknown): Refusal {
  const refused = ConnectError.from(error);
  const [detail] = refused.findDetails(ErrorDetailSchema);
  return {
    code: Code[refused.code],
    reason: reasonName(detail?.reason),
    metadata: { ...detail?.metadata },
    retryDelayMs: Number(detail?.retryDelayMs ?? 0),
  };
}

function reasonName(wanted: ErrorReason | undefined): string {
  return Object.entries(ErrorReason).find(([, reason]) => reason === wanted)?.[0] ?? "";
}
