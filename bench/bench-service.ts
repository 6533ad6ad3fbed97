import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSignetClient, Delivery, Scope, type SignetClient } from "../src/client/index.ts";
import { createDataFolder } from "../src/demo/data-folder.ts";
import { startServiceProcess } from "./service-process.ts";

/** A Signet with one Site, one site key and one User who is signed in. */
export interface BenchService {
  readonly url: string;
  /** The process that was started; it may have started others. */
  readonly pid: number;
  /** The superuser's, to the service's own database. */
  readonly databaseUrl: string;
  readonly operatorKey: string;
  readonly siteKey: string;
  /** Calls with the site key. */
  readonly client: SignetClient;
  readonly user: { readonly id: string; readonly email: string; readonly password: string };
  readonly accessToken: string;
}

/** Starts the service, with further variables, and prepares what rows need by its own RPCs. */
export async function startBenchService(
  resources: AsyncDisposableStack,
  environment: NodeJS.ProcessEnv,
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchService> {
  const folder = await createDataFolder();
  resources.defer(() => folder.remove());
  const paths = { dataDir: folder.path, logPath: join(folder.path, "service.log") };
  const started = await startServiceProcess(paths, resources, environment, settings);
  const { url, pid, databaseUrl } = started;
  const operatorKey = (await readFile(join(folder.path, "operator-key"), "utf8")).trim();
  const { secret: siteKey } = await createSiteKey(url, operatorKey);
  const client = createSignetClient({ url, key: siteKey });
  resources.defer(() => client.close());
  const user = await signUp(client);
  const accessToken = await signIn(client, user);
  return { url, pid, databaseUrl, operatorKey, siteKey, client, user, accessToken };
}

/** Creates a Site, and a key that may do all that the rows need. */
export async function createSiteKey(
  url: string,
  operatorKey: string,
  domain = "bench.example.com",
): Promise<{ readonly siteId: string; readonly secret: string }> {
  const operator = createSignetClient({ url, key: operatorKey });
  try {
    const { site } = await operator.sites.createSite({
      name: "Bench",
      domains: [domain],
      frontendUrl: `https://${domain}`,
    });
    const siteId = site?.id ?? "";
    const { secret } = await operator.sites.createApiKey({
      siteId,
      label: "bench",
      scopes: [Scope.AUTH, Scope.AUTH_TOKENS, Scope.USERS_READ, Scope.USERS_WRITE, Scope.SYNC],
    });
    return { siteId, secret };
  } finally {
    operator.close();
  }
}

async function signUp({ auth }: SignetClient): Promise<BenchService["user"]> {
  const account = { email: "ada@example.com", password: randomBytes(18).toString("base64url") };
  const delivery = Delivery.RETURN_TOKEN;
  const { userId, oneTimeToken } = await auth.register({ ...account, delivery });
  await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
  return { id: userId, ...account };
}

async function signIn({ auth }: SignetClient, user: BenchService["user"]): Promise<string> {
  const identifier = { case: "email", value: user.email } as const;
  const { result } = await auth.login({ identifier, password: user.password });
  if (result.case !== "session") throw new Error("the login did not start a Session");
  return result.value.tokens?.accessToken ?? "";
}
