import { createServer } from "node:http";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { CreateSiteRequestSchema } from "../../gen/signet/v1/site_service_pb.ts";
import { type Clients, grpcClients, openSite, type TestSite, unique } from "./builders.ts";
import { openTestDatabase } from "./database.ts";
import { mailTo, type ReceivedMail, startSmtpMailbox } from "./mailbox.ts";
import { createServiceKeys, freePort, startService, type TestService } from "./service.ts";

/** The service with a mail server, and a Site whose mails lead to the pages that Signet hosts. */
export interface HostedSite extends AsyncDisposable, TestSite {
  readonly service: TestService;
  readonly operator: Clients;
  /** A front end of the Site's own: `/` and `/welcome`, to which links may lead on. */
  readonly frontendUrl: string;
  readonly welcomeUrl: string;
  readonly mails: readonly ReceivedMail[];
  /** Opens another Site. */
  open(settings: MessageInitShape<typeof CreateSiteRequestSchema>): Promise<TestSite>;
  /** Starts another process on the same database, with further variables. */
  startAnother(env: Readonly<Record<string, string>>): Promise<TestService>;
  /** Sends a person each kind of mail, and returns its link. */
  readonly links: Links;
}

/** What brings a mail of each kind to a new person. */
export interface Links {
  verify(person: Person, redirectUrl?: string): Promise<string>;
  reset(person: Person): Promise<string>;
  invite(person: Person, username?: string): Promise<string>;
  changeEmail(person: Person, newEmail: string): Promise<string>;
}

/** A person who gets mails. */
export interface Person {
  readonly email: string;
  readonly locale: "en" | "de";
  /** Absent: it is chosen on the page. */
  readonly password?: string;
}

/** Its public calls are off, as they are by default: the pages need none. */
export const SITE_NAME = "Bücher & <Café>";

/** Starts everything. Dispose of it at the end. */
export async function openHostedSite(
  env: Readonly<Record<string, string>> = {},
): Promise<HostedSite> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await openTestDatabase());
  const mailbox = opened.use(await startSmtpMailbox());
  const front = opened.use(await startFrontEnd());
  const port = await freePort();
  const own = {
    SIGNET_PUBLIC_URL: `http://127.0.0.1:${port}`,
    SMTP_URL: mailbox.url,
    SMTP_FROM: "Signet <signet@example.com>",
    ...env,
  };
  const keys = createServiceKeys();
  const base = { databaseUrl: database.appUrl, keys };
  const service = opened.use(await startService({ ...base, env: own, port }));
  const transport = createGrpcTransport({ baseUrl: service.url });
  const open: HostedSite["open"] = (settings) => openSite(transport, service.operatorKey, settings);
  const site = await open({
    name: SITE_NAME,
    frontendUrl: front.url,
    redirectUrls: [`${front.url}/welcome`],
    accentColor: "#0b7a4b",
    passwordLengthMin: 8,
  });
  const things = opened.move();
  return {
    ...site,
    service,
    operator: grpcClients(service.url, service.operatorKey),
    frontendUrl: `${front.url}/`,
    welcomeUrl: `${front.url}/welcome`,
    mails: mailbox.mails,
    open,
    startAnother: (more) => startService({ ...base, env: { ...own, ...more }, ready: "printed" }),
    links: linksOf(site, () => mailbox.mails),
    [Symbol.asyncDispose]: () => things.disposeAsync(),
  };
}

/** Returns somebody new. */
export function newPerson(locale: Person["locale"] = "en", password?: string): Person {
  const email = `${unique("ada")}@example.com`;
  return password === undefined ? { email, locale } : { email, locale, password };
}

function linksOf({ backend }: TestSite, mails: () => readonly ReceivedMail[]): Links {
  const newest = async (address: string, call: () => Promise<unknown>): Promise<string> => {
    const known = mails().length;
    await call();
    return (await mailTo(() => mails().slice(known), address)).link;
  };
  return {
    verify: ({ email, locale, password = "" }, redirectUrl = "") =>
      newest(email, () => backend.auth.register({ email, locale, password, redirectUrl })),
    reset: ({ email: value }) =>
      newest(value, () =>
        backend.auth.requestPasswordReset({ identifier: { case: "email", value } }),
      ),
    invite: ({ email, locale }, username = "") =>
      newest(email, () => backend.users.inviteUser({ email, locale, username })),
    async changeEmail({ email: value }, newEmail) {
      const ref = { case: "email", value } as const;
      const { user } = await backend.users.lookupUser({ user: { ref } });
      const userId = user?.id ?? "";
      return await newest(newEmail, () => backend.auth.requestEmailChange({ userId, newEmail }));
    },
  };
}

async function startFrontEnd(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>Front end</title><h1>Front end ${request.url}</h1>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Brings a person whose address is verified. */
export async function bringVerified({ links }: HostedSite, password: string): Promise<Person> {
  const person = newPerson("en", password);
  const link = await links.verify(person);
  await sendForm(link, { token: tokenOf(link) });
  return person;
}

/** Tells whether a person's address is verified. */
export async function isVerified({ backend }: TestSite, email: string): Promise<boolean> {
  const ref = { case: "email", value: email } as const;
  return (await backend.users.lookupUser({ user: { ref } })).user?.emailVerified === true;
}

/** What a page is answered with. */
export interface ReceivedPage {
  readonly status: number;
  readonly headers: Headers;
  /** Without its nonce, which no other has. */
  readonly page: string;
}

/** Opens a page, as following a link does. */
export async function openPage(link: string, headers: Headings = {}): Promise<ReceivedPage> {
  return await received(await fetch(link, { headers }));
}

/** Sends what the form of a page would. */
export async function sendForm(
  link: string,
  fields: Readonly<Record<string, string>>,
  headers: Headings = {},
): Promise<ReceivedPage> {
  const body = new URLSearchParams(fields);
  return await received(await fetch(addressOf(link), { method: "POST", body, headers }));
}

/** Returns a link without its query. */
export function addressOf(link: string): string {
  const { origin, pathname } = new URL(link);
  return origin + pathname;
}

/** Returns the token of a link. */
export function tokenOf(link: string): string {
  return new URL(link).searchParams.get("token") ?? "";
}

type Headings = Readonly<Record<string, string>>;

async function received(response: Response): Promise<ReceivedPage> {
  const { status, headers } = response;
  return { status, headers, page: (await response.text()).replace(/nonce="\w+"/, "") };
}
