import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CONFIG_VARIABLES } from "../../src/config-variables.ts";
import {
  type ComposeService,
  type Manifest,
  readComposeServices,
  readImageRecipe,
  readManifests,
} from "../support/deployment.ts";

/** What a container has no use for, and why. */
const NOT_IN_COMPOSE: Readonly<Record<string, string>> = {
  HOST: "the image listens on all addresses of its container",
  PORT: "the port is changed where it is published",
  DATABASE_DIRECT_URL: "there is no pooler",
  SIGNET_DATA_DIR: "there is no PostgreSQL of its own",
  SIGNET_POSTGRES_PORT: "there is no PostgreSQL of its own",
  SIGNET_TLS_CERT_FILE: "a proxy in front of it has the certificate",
  SIGNET_TLS_KEY_FILE: "a proxy in front of it has the certificate",
};

const PROTECTED_FILES = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

const image = readImageRecipe();
const services = readComposeServices();
const manifests = readManifests();

describe("the Dockerfile", () => {
  test("copies only what is there and what .dockerignore lets in", () => {
    const allowed = readFileSync(".dockerignore", "utf8")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const copied = image.instructions
      .filter((line) => /^COPY (?!--from)/.test(line))
      .flatMap((line) => line.split(" ").slice(1, -1));
    const isAllowed = (path: string) =>
      allowed.some((entry) => path === entry || path.startsWith(`${entry}/`));

    expect(copied.filter((path) => !existsSync(path) || !isAllowed(path))).toEqual([]);
    expect(allowed.filter((entry) => !copied.some((path) => path.startsWith(entry)))).toEqual([]);
  });

  test("has every stage on the same Node, which the service supports", () => {
    const bases = image.instructions.filter((line) => line.startsWith("FROM "));
    const { engines } = JSON.parse(readFileSync("package.json", "utf8"));
    const versions = bases.map((line) => /^FROM node:(\d+)-[a-z]+-slim( AS \w+)?$/.exec(line)?.[1]);

    expect(new Set(versions).size).toBe(1);
    expect(Number(versions[0])).toBeGreaterThanOrEqual(Number(engines.node.replace(">=", "")));
  });

  test("installs production dependencies alone, and runs as a user without rights", () => {
    const stage = image.built.node_modules;
    const first = image.instructions.findIndex((line) => line.endsWith(` AS ${stage}`));
    const install = image.instructions.slice(first).find((line) => line.startsWith("RUN npm"));

    expect(install).toBe("RUN npm ci --omit=dev --omit=optional --ignore-scripts");
    expect(image.user).toBe("node");
  });
});

describe("docker-compose.yml", () => {
  const signet = services.signet?.environment ?? {};

  test("hands over every variable that means something in a container, and no other", () => {
    const wanted = CONFIG_VARIABLES.filter((name) => NOT_IN_COMPOSE[name] === undefined);

    expect(Object.keys(signet).toSorted()).toEqual(wanted.toSorted());
    expect(CONFIG_VARIABLES).toEqual(expect.arrayContaining(Object.keys(NOT_IN_COMPOSE)));
  });

  test("takes each from the variable of the same name", () => {
    const own = Object.entries(signet).filter(([name]) => !name.startsWith("DATABASE_"));

    expect(own.filter(([name, value]) => !value.startsWith(`\${${name}:`))).toEqual([]);
  });

  test("reaches the port of the image, and publishes nothing beyond this machine", () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);

    expect(services.signet?.ports?.[0]).toMatch(new RegExp(`:${image.port}$`));
    expect(ports.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
  });

  test.each(Object.entries(services))("rotates the logs of %s", (_, { logging }) => {
    expect(logging).toEqual({
      driver: "json-file",
      options: { "max-size": "10m", "max-file": "5" },
    });
  });

  const confined = Object.entries(services).filter(([name]) => name !== "postgres");

  test.each(confined)("gives %s no rights and nothing to write on", (_, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
    expect(service.security_opt).toEqual(["no-new-privileges:true"]);
    if (!service.build) expect(service.user).toBe("65534:65534");
  });

  test("depends on nothing that is not there, and mounts nothing but files that are", () => {
    const all: readonly ComposeService[] = Object.values(services);
    const needed = all.flatMap(({ depends_on: on = {} }) => Object.keys(on));
    const mounted = all
      .flatMap(({ volumes = [] }) => volumes)
      .filter((volume) => volume.startsWith("./"))
      .map((volume) => volume.split(":")[0] ?? "");

    expect(needed.filter((name) => !services[name])).toEqual([]);
    expect(mounted).toHaveLength(2);
    expect(mounted.filter((path) => !existsSync(path))).toEqual([]);
  });

  test("has the routes of examples/traefik, and Signet believe Traefik alone", () => {
    const example = readFileSync("examples/traefik/dynamic.yml", "utf8");
    const moved = example
      .replaceAll("127.0.0.1:5678", "signet:5678")
      .replaceAll("127.0.0.1:8080", "app:8080");
    const { traefik, app } = services;
    const { edge } = (traefik?.networks ?? {}) as Record<string, { ipv4_address: string }>;

    expect(parse(readFileSync("examples/compose/dynamic.yml", "utf8"))).toEqual(parse(moved));
    expect(signet.SIGNET_TRUSTED_PROXIES).toContain(`:-${edge?.ipv4_address}}`);
    expect(app?.command).toEqual(["--port=8080"]);
    expect(app?.ports).toBeUndefined();
  });
});

describe("examples/kubernetes", () => {
  const workloads = manifests.filter(({ kind }) => kind === "Deployment" || kind === "Job");
  const [deployment] = named("Deployment");
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));

  test("has what the guide names", () => {
    const kinds = manifests.map(({ kind }) => kind);

    expect(kinds.toSorted()).toEqual([
      "ConfigMap",
      "Deployment",
      "Job",
      "Kustomization",
      "NetworkPolicy",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "Secret",
      "Secret",
      "Service",
      "Service",
    ]);
  });

  test("sets variables of Signet and no others, and no secret", () => {
    const [config] = named("ConfigMap");
    const secrets = named("Secret").map(({ content }) => content.stringData as Variables);
    const names = [config?.content.data as Variables, ...secrets].flatMap(Object.keys);

    expect(names.filter((name) => !CONFIG_VARIABLES.includes(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    expect(secrets.flatMap(Object.values).filter((value) => value !== "")).toEqual([]);
  });

  test("keeps the migrator's password from the service", () => {
    const text = JSON.stringify(deployment?.content);

    expect(text).not.toContain("signet-migration");
    expect(text).toContain('"secretRef":{"name":"signet"}');
  });

  test.each(workloads.map((manifest) => [manifest.name, manifest] as const))(
    "runs %s without rights, without links of other Services, from this version's image",
    (_, manifest) => {
      const pod = podOf(manifest);

      expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual(PROTECTED_FILES);
        expect(container.image).toBe(`registry.example.com/signet:${version}`);
        expect(container.resources).toHaveProperty("limits.memory");
      }
    },
  );

  test("has Services, budget and policy that mean the Pods of the Deployment", () => {
    const { selector, template } = specOf(deployment);
    const labels = template?.metadata.labels;
    const selectors = [
      selector?.matchLabels,
      ...named("Service").map((one) => specOf(one).selector),
      ...named("PodDisruptionBudget").map((one) => specOf(one).selector?.matchLabels),
      ...named("NetworkPolicy", "signet").map((one) => specOf(one).podSelector?.matchLabels),
    ];

    expect(selectors).toEqual(Array.from({ length: 5 }, () => labels));
  });

  test("serves HTTP/2 in clear text on the port of the image", () => {
    const [container] = podOf(deployment).containers;
    const ports = named("Service").flatMap((one) => specOf(one).ports);

    expect(container?.ports).toEqual([{ name: "grpc", containerPort: image.port }]);
    for (const port of ports) {
      const appProtocol = "kubernetes.io/h2c";
      expect(port).toMatchObject({ port: image.port, targetPort: "grpc", appProtocol });
    }
  });

  test("applies every manifest by its Kustomization, but for the Secrets and the migration", () => {
    const [kustomization] = named("Kustomization");
    const files = new Set(manifests.map(({ file }) => file));
    for (const file of ["kustomization.yaml", "secret.yaml", "migration.yaml"]) files.delete(file);

    expect(kustomization?.content).toMatchObject({
      resources: expect.toSatisfy((names: string[]) => isSame(names, [...files])),
      images: [{ name: "registry.example.com/signet", newTag: version }],
    });
  });
});

type Variables = Readonly<Record<string, string>>;

interface Pod {
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: object;
  readonly containers: readonly {
    readonly image: string;
    readonly ports?: readonly object[];
    readonly securityContext: object;
    readonly resources: object;
  }[];
}

interface Spec {
  readonly selector?: { readonly matchLabels?: Variables };
  readonly podSelector?: { readonly matchLabels?: Variables };
  readonly ports?: readonly object[];
  readonly template?: { readonly metadata: { readonly labels: Variables }; readonly spec: Pod };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.toSorted().join() === b.toSorted().join();
}

function named(kind: string, name?: string): Manifest[] {
  return manifests.filter((one) => one.kind === kind && (name ?? one.name) === one.name);
}

function specOf(manifest: Manifest | undefined): Spec {
  return (manifest?.content.spec ?? {}) as Spec;
}

function podOf(manifest: Manifest | undefined): Pod {
  const pod = specOf(manifest).template?.spec;
  if (!pod) throw new Error("there is no Pod in it");
  return pod;
}
