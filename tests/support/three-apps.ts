import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { logIn, refusal, refusalOf, signUp, unique, uniqueEmail } from "./builders.ts";
import { runAsAdmin } from "./database.ts";
import { type HostilePeer, startHostilePeer } from "./hostile-peer.ts";
import { type MeteredProxy, startMeteredProxy } from "./metered-proxy.ts";
import { logInAt, type OwnSignet, openOwnSignet, peerEntry } from "./peered-sites.ts";
import { runSignet } from "./programs.ts";
import { freePort } from "./service.ts";

/** Three apps, each with a Signet and a database of its own, and each with the others as peers. */
export interface ThreeApps extends AsyncDisposable {
  readonly a: OwnSignet;
  /** Names itself besides, about addresses of `self.example`. */
  readonly b: OwnSignet;
  /** Names three besides that do not answer: one is silent, one is gone, one refuses the key. */
  readonly c: OwnSignet;
  /** Takes what C asks and never answers; it is asked about `silent.example`. */
  readonly silent: HostilePeer;
  /** All that has passed between A and C, either way. */
  wire(): string;
}

/** Below those that a system gives out, and never listened on (RFC 6335 §6: tcpmux). */
const UNUSED_PORT = 1;

/** Starts the three; A may be stopped and started again at its port. */
export async function openThreeApps(): Promise<ThreeApps> {
  const [[a, b, c], silent] = await Promise.all([
    Promise.all([openOwnSignet(), openOwnSignet(), openOwnSignet()]),
    startHostilePeer(),
  ]);
  silent.behave(() => undefined);
  const ports = { a: await freePort(), b: await freePort(), c: await freePort() };
  const chunks: Buffer[] = [];
  const wire: MeteredProxy = await startMeteredProxy(ports.a, (chunk) => void chunks.push(chunk));
  const [urlOfA, urlOfB, urlOfC] = [ports.a, ports.b, ports.c].map(
    (port) => `http://127.0.0.1:${port}`,
  );
  const entries = {
    a: [
      await peerEntry(a, b, { name: "b", url: urlOfB }),
      await peerEntry(a, c, { name: "c", url: urlOfC }),
    ],
    b: [
      await peerEntry(b, a, { name: "a", url: urlOfA }),
      await peerEntry(b, c, { name: "c", url: urlOfC }),
      await peerEntry(b, b, { name: "self", url: urlOfB, email_domains: ["self.example"] }),
    ],
    c: [
      await peerEntry(c, a, {
        name: "a",
        url: wire.url,
        sync: true,
        key: await a.peerKey([Scope.PEER, Scope.SYNC]),
      }),
      await peerEntry(c, b, { name: "b", url: urlOfB }),
      ...broken(c, silent, urlOfB),
    ],
  };
  await Promise.all([
    a.restart(entries.a, 1, ports.a),
    b.restart(entries.b, 1, ports.b),
    c.restart(entries.c, 1, ports.c),
  ]);
  return {
    a,
    b,
    c,
    silent,
    wire: () => Buffer.concat(chunks).toString("latin1"),
    async [Symbol.asyncDispose]() {
      await Promise.all([a, b, c, silent, wire].map((each) => each[Symbol.asyncDispose]()));
    },
  };
}

/** What became of logins before A was down, and meanwhile. */
export type Outage = Awaited<ReturnType<typeof stopForAWhile>>;

/** Stops A, has people sign in at B meanwhile, and starts A again with an empty list. */
export async function stopForAWhile({ a, b }: Pick<ThreeApps, "a" | "b">) {
  const [moved, newcomer, visitor] = [
    await registerAt(a),
    await registerAt(a),
    await registerAt(b),
  ];
  const first = await logInAt(b.backend, moved);
  const visit = await logInAt(a.backend, visitor);
  const port = a.services[0]?.port;
  await a.stop();
  const again = await logInAt(b.backend, moved);
  const unknown = await refusal(logInAt(b.backend, newcomer));
  await a.restart([], 1, port);
  return { newcomer, visitor, first, visit, again, unknown };
}

/** Registers somebody by the token of the mail, as an app that sends its own mails does. */
export async function registerAt({ backend: { auth } }: OwnSignet, email = uniqueEmail()) {
  const username = unique("name");
  const password = unique("four quiet otters");
  const delivery = Delivery.RETURN_TOKEN;
  const { userId, oneTimeToken } = await auth.register({ email, username, password, delivery });
  await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
  return { userId, email, username, password };
}

/** Finds the User with an address; undefined: there is none. */
export async function findAt({ backend }: OwnSignet, email: string) {
  const ref = { case: "email", value: email } as const;
  try {
    return (await backend.users.lookupUser({ user: { ref } })).user;
  } catch (error) {
    if (refusalOf(error).reason === "USER_NOT_FOUND") return undefined;
    throw error;
  }
}

/** Makes somebody an admin, and signs them in. */
export async function adminTokenAt({ backend, operator, siteId }: OwnSignet): Promise<string> {
  const { userId, email, password } = await signUp(backend);
  await operator.users.updateUser({ siteId, userId, roles: { roles: ["admin", "user"] } });
  return (await logIn(backend, email, password)).accessToken;
}

/** Reads what the database keeps of a password. */
export async function hashAt({ database }: OwnSignet, email: string): Promise<string | undefined> {
  const [row] = await runAsAdmin<{ readonly password_hash: string }>(
    database.adminUrl,
    `select password_hash from signet.credentials c join signet.users u on u.id = c.user_id
      where u.email = '${email}'`,
  );
  return row?.password_hash;
}

/** Tells where a Signet is. */
export function urlOf({ services }: OwnSignet): string {
  return services[0]?.url ?? "";
}

/** Runs the command line as the operator of a Signet, and returns what it prints. */
export async function signetAt(signet: OwnSignet, ...words: readonly string[]) {
  const environment = { SIGNET_URL: urlOf(signet), SIGNET_KEY: signet.keys.operatorKey };
  const { stdout, stderr } = await runSignet(words, environment);
  if (stdout === "") throw new Error(`no answer: ${stderr}`);
  return JSON.parse(stdout);
}

/** Entries of peers from which no answer is to be had, each asked about a domain of its own. */
function broken(
  { siteId }: OwnSignet,
  silent: HostilePeer,
  answering: string | undefined,
): readonly object[] {
  const urls = { silent: silent.url, gone: `http://127.0.0.1:${UNUSED_PORT}`, refusing: answering };
  return Object.entries(urls).map(([name, url]) => {
    return { name, url, key: silent.key, site_id: siteId, email_domains: [`${name}.example`] };
  });
}
