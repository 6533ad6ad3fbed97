import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { ConfigError, parseConfig } from "../../src/config.ts";

const OPERATOR_KEY = `sgn_op_${randomBytes(32).toString("base64url")}`;
const MASTER_KEY = randomBytes(32).toString("base64");
const HOSTED = {
  DATABASE_URL: "postgres://signet_app:pass-in-url@db.example/signet",
  SIGNET_OPERATOR_KEY: OPERATOR_KEY,
  SIGNET_MASTER_KEYS: `1:${MASTER_KEY}`,
};

/** The message of the ConfigError that the environment causes. */
function problemsOf(env: Readonly<Record<string, string>>): string {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "none";
}

describe("parseConfig", () => {
  test("needs no variable at all", () => {
    const config = parseConfig({});

    expect(config).toMatchObject({
      host: "127.0.0.1",
      port: 5678,
      publicUrl: "http://127.0.0.1:5678",
      dataDir: ".signet",
      database: undefined,
      logLevel: "info",
      warnings: [],
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("takes an empty variable as absent and ignores those of other programs", () => {
    const config = parseConfig({ PORT: "", SIGNET_PEERS: "", HOME: "/x", SIGNET_KEY: "k" });

    expect(config.port).toBe(5678);
  });

  test("looks breached passwords up over TLS, or at a host of one's own", () => {
    const at = (url: string, hosts = "") =>
      problemsOf({ SIGNET_BREACHED_PASSWORDS_URL: url, SIGNET_INTERNAL_HOSTS: hosts });

    expect(at("https://ranges.example/range/")).toBe("none");
    expect(at("http://ranges.example/range/")).toContain("must begin with https://");
    expect(at("http://ranges.example/range/", "other.example")).toContain("https://");
    expect(at("http://Ranges.example/range/", "other.example, RANGES.example")).toBe("none");
    expect(at("http://[::1]:8080/", "::1")).toBe("none");
    expect(at("https://ranges.example", "https://ranges.example")).toContain("host names");
  });

  test("has one worker, or as many as it is told to, or one for each core", () => {
    const workersFor = (value: string) => parseConfig({ SIGNET_WORKERS: value }).workers;

    expect(parseConfig({}).workers).toBe(1);
    expect(workersFor("3")).toBe(3);
    expect(workersFor("auto")).toBe(availableParallelism());
    for (const wrong of ["0", "257", "-1", "1.5", "AUTO"]) {
      expect(problemsOf({ SIGNET_WORKERS: wrong })).toContain("SIGNET_WORKERS must be auto");
    }
  });

  test("has the workers together hash on every core, unless it is told how many each", () => {
    const hashThreads = (workers: string, threads = "") =>
      parseConfig({ SIGNET_WORKERS: workers, SIGNET_HASH_THREADS: threads }).hashThreads;

    expect(hashThreads("1")).toBe(availableParallelism());
    expect(hashThreads("2")).toBe(Math.ceil(availableParallelism() / 2));
    expect(hashThreads("auto")).toBe(1);
    expect(hashThreads("256")).toBe(1);
    expect(hashThreads("2", "7")).toBe(7);
  });

  test("names every variable at fault in one message", () => {
    const problems = problemsOf({
      PORT: "65536",
      LOG_LEVEL: "loud",
      DATABASE_URL: "mysql://db",
      SIGNET_PUBLIC_URL: "https://user@signet.example",
      SIGNET_TRUSTED_PROXIES: "10.0.0.0/33",
      SIGNET_TLS_KEY_FILE: "key.pem",
      SIGNET_WORKERS: "many",
      SIGNET_PEERS: "https://peer.example",
      SIGNET_PUBLIC_URI: "https://signet.example",
      SMTP_URL: "smtp://mail.example",
    });

    expect(problems.split("\n  ")).toEqual([
      "invalid configuration:",
      "PORT must be a whole number from 1 to 65535",
      "DATABASE_URL must be a postgres:// URL",
      "SIGNET_PUBLIC_URL must be an https:// or http:// URL without credentials, query or fragment",
      expect.stringMatching(/^SIGNET_TRUSTED_PROXIES must be/),
      "SIGNET_WORKERS must be auto, or a whole number from 1 to 256",
      "SIGNET_PEERS must be a JSON list of peers: see docs/guides/peers.md",
      expect.stringMatching(/^LOG_LEVEL must be one of trace, /),
      "SIGNET_OPERATOR_KEY is required with DATABASE_URL",
      "SIGNET_MASTER_KEYS is required with DATABASE_URL",
      "SIGNET_TLS_CERT_FILE is required with SIGNET_TLS_KEY_FILE",
      "SMTP_FROM is required with SMTP_URL",
      "SIGNET_PUBLIC_URI is not a variable of Signet",
    ]);
  });

  test("names the peer whose passwords would pass a network in the clear", () => {
    const key = `sgn_site_${"a".repeat(64)}`;
    const site_id = "01890a5d-ac96-774b-bcce-b302099a8057";
    const peers = JSON.stringify([{ name: "shop", url: "http://id.example", key, site_id }]);

    const problems = problemsOf({ SIGNET_PEERS: peers });
    const { peers: own } = parseConfig({
      SIGNET_PEERS: peers,
      SIGNET_INTERNAL_HOSTS: "id.example",
    });

    expect(problems).toMatch(/SIGNET_PEERS entry "shop": url must begin with https:/);
    expect(problems).not.toContain(key);
    expect(own).toMatchObject([{ name: "shop", url: "http://id.example" }]);
  });

  test.each([
    ["no version", MASTER_KEY],
    ["version 0", `0:${MASTER_KEY}`],
    ["a version above 255", `256:${MASTER_KEY}`],
    ["one version twice", `1:${MASTER_KEY},1:${MASTER_KEY}`],
    ["fewer than 32 bytes", `1:${randomBytes(31).toString("base64")}`],
    ["more than 32 bytes", `1:${randomBytes(33).toString("base64")}`],
    ["zeros", `1:${Buffer.alloc(32).toString("base64")}`],
    ["text", `1:${Buffer.from("correct horse battery staple 123").toString("base64")}`],
    ["one good key and one bad", `1:${MASTER_KEY},2:`],
  ])("refuses master keys with %s", (_, keys) => {
    const problems = problemsOf({ SIGNET_MASTER_KEYS: keys });

    expect(problems).toMatch(/SIGNET_MASTER_KEYS (has|must|version)/);
    expect(problems).not.toContain(MASTER_KEY);
  });

  test.each([
    ["another prefix", OPERATOR_KEY.replace("sgn_op_", "sgn_site_")],
    ["a missing character", OPERATOR_KEY.slice(0, -1)],
    ["bits after the last byte", `${OPERATOR_KEY.slice(0, -1)}B`],
    ["zeros", `sgn_op_${"A".repeat(43)}`],
  ])("refuses an operator key with %s", (_, key) => {
    const problems = problemsOf({ SIGNET_OPERATOR_KEY: key });

    expect(problems).toContain("SIGNET_OPERATOR_KEY ");
    expect(problems).not.toContain(key);
  });

  test("encrypts with the highest version of the master keys", () => {
    const second = randomBytes(32);

    const config = parseConfig({
      SIGNET_MASTER_KEYS: `2:${second.toString("base64")}, 1:${MASTER_KEY}`,
    });

    expect(config.masterKeys?.current).toBe(2);
    expect(config.masterKeys?.keys.get(2)).toEqual(second);
    expect(config.masterKeys?.keys.size).toBe(2);
  });

  test("encrypts with the version of the master keys that it is told", () => {
    const keys = `2:${randomBytes(32).toString("base64")},1:${MASTER_KEY}`;

    const { masterKeys } = parseConfig({
      SIGNET_MASTER_KEYS: keys,
      SIGNET_MASTER_KEY_VERSION: "1",
    });

    expect(masterKeys?.current).toBe(1);
    expect(masterKeys?.keys.size).toBe(2);
    expect(problemsOf({ SIGNET_MASTER_KEYS: keys, SIGNET_MASTER_KEY_VERSION: "3" })).toContain(
      "SIGNET_MASTER_KEY_VERSION is 3",
    );
    expect(problemsOf({ SIGNET_MASTER_KEY_VERSION: "1" })).toContain(
      "SIGNET_MASTER_KEYS is required",
    );
  });

  test("uses one URL for all connections unless told more", () => {
    const one = parseConfig(HOSTED);
    const three = parseConfig({
      ...HOSTED,
      DATABASE_DIRECT_URL: "postgres://direct/signet",
      DATABASE_OWNER_URL: "postgres://owner/signet",
    });

    expect(one.database?.directUrl.reveal()).toBe(HOSTED.DATABASE_URL);
    expect(one.database?.ownerUrl).toBeUndefined();
    expect(three.database?.directUrl.reveal()).toBe("postgres://direct/signet");
    expect(three.database?.ownerUrl?.reveal()).toBe("postgres://owner/signet");
  });

  test("shows no secret when it is printed", () => {
    const config = parseConfig({
      ...HOSTED,
      SMTP_URL: "smtp://user:mail-password@mail.example",
      SMTP_FROM: "Signet <signet@example.com>",
    });

    const printed = inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config);

    expect(printed).not.toMatch(/pass-in-url|mail-password|sgn_op_/);
    expect(printed).not.toContain(MASTER_KEY);
    expect(printed).not.toContain(Buffer.from(MASTER_KEY, "base64").toString("hex").slice(0, 8));
  });

  test("writes every trusted proxy as a range", () => {
    const config = parseConfig({ SIGNET_TRUSTED_PROXIES: "10.0.0.0/8, ::1,192.0.2.7" });

    expect(config.trustedProxies).toEqual(["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
  });

  test("keeps the path of the public URL and drops its last slash", () => {
    const config = parseConfig({ SIGNET_PUBLIC_URL: "https://id.example/auth/" });

    expect(config.publicUrl).toBe("https://id.example/auth");
  });

  test("warns of a hosted service that prints mails or has no public https URL", () => {
    const unset = parseConfig(HOSTED).warnings;
    const clear = parseConfig({ ...HOSTED, SIGNET_PUBLIC_URL: "http://id.example" }).warnings;

    expect(unset).toEqual([
      expect.stringContaining("SIGNET_PUBLIC_URL is not set"),
      expect.stringContaining("SMTP_URL is not set"),
    ]);
    expect(clear).toContainEqual(expect.stringContaining("SIGNET_PUBLIC_URL should be"));
  });

  test("speaks for the hosts below its own only where it is told to, and reached by https", () => {
    const told = { SIGNET_HSTS_SUBDOMAINS: "true" };
    const byHttps = parseConfig({ ...told, SIGNET_PUBLIC_URL: "https://id.example" });
    const tls = { SIGNET_TLS_CERT_FILE: "cert.pem", SIGNET_TLS_KEY_FILE: "key.pem" };

    expect(parseConfig({}).hstsSubdomains).toBe(false);
    expect(parseConfig({ SIGNET_HSTS_SUBDOMAINS: "false" }).hstsSubdomains).toBe(false);
    expect(byHttps).toMatchObject({ hstsSubdomains: true, warnings: [] });
    expect(parseConfig({ ...told, ...tls }).warnings).toEqual([]);
    expect(parseConfig(told).warnings).toEqual([
      expect.stringContaining("SIGNET_HSTS_SUBDOMAINS has no effect"),
    ]);
    expect(problemsOf({ SIGNET_HSTS_SUBDOMAINS: "yes" })).toContain("must be true or false");
  });
});
