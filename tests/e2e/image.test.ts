import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { ensureDatabase } from "../../src/store/roles.ts";
import { openSite, signUp, uniqueEmail } from "../support/builders.ts";
import { interpolate, readComposeServices, readManifests } from "../support/deployment.ts";
import { type ImageCopy, openImageCopy } from "../support/image-copy.ts";
import { type SmtpMailbox, startSmtpMailbox } from "../support/mailbox.ts";
import { startTestPostgres } from "../support/postgres.ts";
import type { RunningProgram } from "../support/programs.ts";
import { createServiceKeys, freePort } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const WAIT_MS_MAX = 60_000;

const services = readComposeServices();
const keys = createServiceKeys();

let image: ImageCopy;
let postgres: EmbeddedPostgres;
let mailbox: SmtpMailbox;
let filesBefore: readonly string[];

beforeAll(async () => {
  // A server of its own: the roles are given passwords.
  [image, postgres, mailbox] = await Promise.all([
    openImageCopy(),
    startTestPostgres(),
    startSmtpMailbox(),
  ]);
  await ensureDatabase(postgres.adminUrl, "signet");
  filesBefore = await image.files();
});

afterAll(async () => {
  await Promise.all([postgres, mailbox].map((one) => one?.[Symbol.asyncDispose]()));
  await image?.[Symbol.asyncDispose]();
});

describe("the image, without Docker", () => {
  test("prepares the roles by the command of docker-compose.yml", async () => {
    const { command = [], environment } = services.roles ?? {};

    const prepared = await image.run(command, composed(environment));
    const again = await image.run(command, composed(environment));

    expect(prepared).toMatchObject({ exitCode: 0, stdout: "" });
    expect(again).toMatchObject({ exitCode: 0, stdout: "" });
  });

  test("migrates by the Job of Kubernetes, with the migrator's URL alone", async () => {
    const [container] = containersOf("Job");

    const migrated = await image.run(container?.command ?? [], secrets("signet-migration"));

    expect(migrated).toMatchObject({ exitCode: 0, stdout: "The schema is up to date.\n" });
  });

  test("serves as the Deployment of Kubernetes has it, and satisfies its probes", async () => {
    const [container] = containersOf("Deployment");
    const variables = { ...configMap(), ...secrets("signet") };
    await using running = await startImage(container?.command, variables);

    const { startupProbe, livenessProbe, readinessProbe } = container ?? {};
    const paths = [startupProbe, livenessProbe, readinessProbe].map((one) => one?.httpGet.path);
    await running.untilReady();
    const answers = await Promise.all(paths.map((path) => fetch(`${running.url}${path}`)));

    expect(paths).toEqual(["/healthz", "/healthz", "/readyz"]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await running.stop()).toBe(0);
  });

  test("takes what Kubernetes would say of a Service for misspelt settings", async () => {
    const variables = { ...configMap(), ...secrets("signet"), SIGNET_SERVICE_HOST: "10.0.0.1" };

    const { exitCode, stderr } = await image.run(image.recipe.command, variables);

    expect(exitCode).toBe(2);
    expect(stderr).toContain("SIGNET_SERVICE_HOST is not a variable of Signet");
  });

  describe("as docker-compose.yml runs it", () => {
    let running: Awaited<ReturnType<typeof startImage>>;

    beforeAll(async () => {
      const { command, environment } = services.signet ?? {};
      running = await startImage(command, composed(environment));
      await running.untilReady();
    });

    afterAll(() => running?.[Symbol.asyncDispose]());

    test("is healthy by the image's own check, which fails where nobody serves", async () => {
      const { healthCheck } = image.recipe;

      const healthy = await image.run(healthCheck, { PORT: `${running.port}` });
      const nobody = await image.run(healthCheck, { PORT: `${await freePort()}` });

      expect([healthy.exitCode, nobody.exitCode]).toEqual([0, 1]);
    });

    test("has its console", async () => {
      const page = await fetch(`${running.url}/console`);

      expect(page.status).toBe(200);
      expect(await page.text()).toContain("/console/assets/");
    });

    test("hands mails to the catcher, and answers Traefik's question", async () => {
      const { backend } = await openSite(
        createGrpcTransport({ baseUrl: running.url }),
        keys.operatorKey,
      );
      const email = uniqueEmail();
      await backend.auth.register({ email, password: "four quiet otters swim" });
      const { accessToken } = await signUp(backend);
      const authorization = `Bearer ${accessToken}`;

      const mail = await until(() => mailbox.mails.find(({ to }) => to === email), WAIT_MS_MAX);
      const passes = await fetch(`${running.url}/forward-auth`, { headers: { authorization } });
      const stays = await fetch(`${running.url}/forward-auth?redirect=login`);

      expect(mail.from).toContain("signet@localhost.localdomain");
      expect([passes.status, stays.status]).toEqual([200, 401]);
    });

    test("has the command line", async () => {
      const words = ["site", "create", "--name", "Shop", "--frontend-url", "https://shop.example"];

      const created = await image.run(["node", "src/cli/main.ts", ...words, "--json"], {
        SIGNET_URL: running.url,
        SIGNET_KEY: keys.operatorKey,
      });

      expect(created).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(created.stdout)).toMatchObject({ site: { name: "Shop" } });
    });

    test("stops in time, and has written no file", async () => {
      const exitCode = await running.stop();

      expect(exitCode).toBe(0);
      expect(await image.files()).toEqual(filesBefore);
    });
  });
});

type Variables = Readonly<Record<string, string>>;

interface Container {
  readonly command?: readonly string[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string };
}

/** Variables of a service of docker-compose.yml, with a filled `.env` and places that are here. */
function composed(environment: Variables = {}): Variables {
  const env = {
    DATABASE_ADMIN_PASSWORD: new URL(postgres.adminUrl).password,
    DATABASE_APP_PASSWORD: "f3a1c05be8d74296",
    DATABASE_MIGRATOR_PASSWORD: "9be2d7406fa83c51",
    SIGNET_OPERATOR_KEY: keys.operatorKey,
    SIGNET_MASTER_KEYS: keys.masterKeys,
  };
  const filled = Object.entries(environment).map(([name, text]): [string, string] => [
    name,
    interpolate(text, env)
      .replace("@postgres:5432/", `@127.0.0.1:${postgres.port}/`)
      .replace("smtp://mail:1025", mailbox.url),
  ]);
  return Object.fromEntries(filled);
}

/** What the Secret of this name holds, filled in. */
function secrets(name: string): Variables {
  const values: Variables = { ...composed(services.signet?.environment), SMTP_URL: mailbox.url };
  const secret = readManifests().find((one) => one.kind === "Secret" && one.name === name);
  const names = Object.keys((secret?.content.stringData as Variables | undefined) ?? {});
  return Object.fromEntries(names.map((each) => [each, values[each] ?? ""]));
}

function configMap(): Variables {
  const config = readManifests().find(({ kind }) => kind === "ConfigMap");
  return (config?.content.data as Variables | undefined) ?? {};
}

function containersOf(kind: string): readonly Container[] {
  const spec = readManifests().find((one) => one.kind === kind)?.content.spec as
    | { readonly template: { readonly spec: { readonly containers: readonly Container[] } } }
    | undefined;
  return spec?.template.spec.containers ?? [];
}

/** Starts a service of the image: by its own command, where it is given no other. */
async function startImage(command = image.recipe.command, variables: Variables = {}) {
  const port = await freePort();
  // Loopback alone, where a container has an address of its own.
  const place = { HOST: "127.0.0.1", PORT: `${port}` };
  const program: RunningProgram = image.start(command, { ...variables, ...place });
  const url = `http://127.0.0.1:${port}`;
  let exitCode: Promise<number | null> | undefined;
  const stop = () => (exitCode ??= program.stop());
  return {
    url,
    port,
    stop,
    untilReady: async () => {
      try {
        await until(async () => (await fetch(`${url}/readyz`)).ok, WAIT_MS_MAX);
      } catch (error) {
        throw new Error(`it is not ready:\n${program.output.tail()}`, { cause: error });
      }
    },
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
