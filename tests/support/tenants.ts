import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { type Clients, createKey, grpcClients, unique, uniqueEmail } from "./builders.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";
import { callJson, type JsonAnswer } from "./json-call.ts";
import { type ReceivedMail, type SmtpMailbox, startSmtpMailbox } from "./mailbox.ts";
import { runSignet } from "./programs.ts";
import { startService, type TestService } from "./service.ts";
import { until } from "./waiting.ts";

/** A Site as its operator has made it, and its backend. */
export interface Tenant {
  readonly siteId: string;
  readonly domain: string;
  readonly frontendUrl: string;
  readonly key: string;
  readonly backend: Clients;
}

/** A Signet for several Sites, its mail server, and the operator at the command line. */
export interface Tenants extends AsyncDisposable {
  readonly service: TestService;
  readonly database: TestDatabase;
  readonly operator: Clients;
  readonly mailbox: SmtpMailbox;
  readonly first: Tenant;
  readonly second: Tenant;
  /** Runs a command as the operator; its answer as JSON. */
  signet(...words: readonly string[]): Promise<JsonAnswer["json"] & { readonly site?: object }>;
  /** Runs a command as the operator that is refused; what it says. */
  refusedSignet(...words: readonly string[]): Promise<string>;
  /** Calls an RPC of AuthService as the page of a Site does: with no key. */
  asBrowser(tenant: Tenant, rpc: string, message: object): Promise<JsonAnswer>;
  /** Waits for a mail with a link to an address, after so many of these. */
  mailTo(address: string, before?: number): Promise<ReceivedMail>;
  /** Registers somebody and verifies the address, by the mail's link. */
  signUp(tenant: Tenant, email?: string): Promise<Person>;
}

/** Somebody with a verified address. */
export interface Person {
  readonly userId: string;
  readonly email: string;
  readonly password: string;
}

/** Starts them, with two Sites. */
export async function openTenants(): Promise<Tenants> {
  const [database, mailbox] = await Promise.all([openTestDatabase(), startSmtpMailbox()]);
  const env = {
    SMTP_URL: mailbox.url,
    SMTP_FROM: "signet@example.com",
    SIGNET_INTERNAL_HOSTS: "127.0.0.1",
  };
  const service = await startService({ databaseUrl: database.appUrl, env });
  const operator = grpcClients(service.url, service.operatorKey);
  const environment = { SIGNET_URL: service.url, SIGNET_KEY: service.operatorKey };
  const signet = async (...words: readonly string[]) => {
    const { stdout, stderr } = await runSignet([...words, "--json"], environment);
    if (stdout === "") throw new Error(`no answer: ${stderr}`);
    return JSON.parse(stdout);
  };
  const linksTo = (address: string) =>
    mailbox.mails.filter(({ to, link }) => to === address && link !== "");
  const mailTo = (address: string, before = 0) => until(() => linksTo(address)[before]);
  const [first, second] = await Promise.all(
    ["shop", "blog"].map((name) => openTenant(signet, operator, service.url, name)),
  );
  if (!first || !second) throw new Error("there are no Sites");
  return {
    service,
    database,
    operator,
    mailbox,
    first,
    second,
    signet,
    mailTo,
    async refusedSignet(...words) {
      const { exitCode, stderr } = await runSignet(words, environment);
      if (exitCode === 0) throw new Error("the command was not refused");
      return stderr;
    },
    asBrowser: ({ siteId }, rpc, message) =>
      callJson(service.url, `signet.v1.AuthService/${rpc}`, { siteId, ...message }),
    async signUp({ backend: { auth } }, email = uniqueEmail()) {
      const password = unique("four quiet otters");
      const before = linksTo(email).length;
      await auth.register({ email, password });
      const { token } = await mailTo(email, before);
      const { userId } = await auth.verifyEmail({ token });
      return { userId, email, password };
    },
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await mailbox[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

async function openTenant(
  signet: Tenants["signet"],
  operator: Clients,
  url: string,
  name: string,
): Promise<Tenant> {
  const domain = `${unique(name)}.example.com`;
  const frontendUrl = `https://${domain}/account`;
  const answer = await signet(
    ...["site", "create", "--name", name, "--domain", domain, "--frontend-url", frontendUrl],
    ...["--redirect-url", `https://${domain}/welcome`, "--public-calls"],
    ...["--mail-address", `hello@${domain}`, "--mail-name", `The ${name}`],
  );
  const { id: siteId } = answer.site as { readonly id: string };
  const scopes = [Scope.AUTH, Scope.USERS_READ, Scope.USERS_WRITE];
  const key = await createKey(operator, siteId, { scopes });
  return { siteId, domain, frontendUrl, key, backend: grpcClients(url, key) };
}
