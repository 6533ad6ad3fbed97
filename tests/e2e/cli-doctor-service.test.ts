import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKey } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { startSmtpMailbox } from "../support/mailbox.ts";
import { runSignet } from "../support/programs.ts";
import { createServiceKeys } from "../support/service.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

interface Finding {
  readonly check: string;
  readonly verdict: "ok" | "warn" | "fail" | "skip";
  readonly text: string;
  readonly advice?: string;
}

type Environment = Readonly<Record<string, string>>;

const KEYS = createServiceKeys();

let home: SiteOnService;

beforeAll(async () => {
  home = await openSiteOnService();
});

afterAll(() => home[Symbol.asyncDispose]());

/** The variables of a service that is set up well, and of a client of it. */
function goodEnvironment(): Environment {
  return {
    SIGNET_URL: home.service.url,
    SIGNET_KEY: home.site.key,
    DATABASE_URL: home.database.appUrl,
    DATABASE_OWNER_URL: home.database.ownerUrl,
    SIGNET_OPERATOR_KEY: KEYS.operatorKey,
    SIGNET_MASTER_KEYS: KEYS.masterKeys,
    SIGNET_PUBLIC_URL: "https://id.example.com",
  };
}

/** Examines the set-up with variables changed; an empty one takes a variable away. */
async function examine(changed: Environment = {}, words: readonly string[] = ["--service"]) {
  const environment = { ...goodEnvironment(), ...changed };
  const { exitCode, stdout } = await runSignet(["doctor", "--json", ...words], environment);
  const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
  const all = (check: string) => findings.filter((finding) => finding.check === check);
  return { exitCode, stdout, findings, all, of: (check: string) => all(check)[0] };
}

describe("signet doctor --service", () => {
  test("finds nothing wrong where everything is right", async () => {
    await using mailbox = await startSmtpMailbox();
    const mail = { SMTP_URL: mailbox.url, SMTP_FROM: "Signet <signet@example.com>" };

    const { exitCode, findings, stdout } = await examine(mail);

    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(exitCode).toBe(0);
    expect(findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        "service.configuration",
        "service.database",
        "service.database_direct",
        "service.database_owner",
        "service.clock",
        "service.mail",
        "signet.keys",
      ]),
    );
    for (const secret of [KEYS.operatorKey, KEYS.masterKeys, home.site.key]) {
      expect(stdout).not.toContain(secret);
    }
  });

  test("is not asked for by an app, whose variables are its own", async () => {
    const { findings, of } = await examine({ DATABASE_URL: "mysql://shop" }, []);

    expect(of("signet.address")).toBeDefined();
    expect(findings.filter(({ check }) => check.startsWith("service."))).toEqual([]);
  });

  test("names every variable that is wrong, without its value", async () => {
    const { exitCode, all, stdout } = await examine({
      SIGNET_OPERATOR_KEY: `sgn_op_${"A".repeat(43)}`,
      SIGNET_MASTER_KEYS: "1:c2hvcnQ=",
      SIGNET_PORT: "80",
    });

    const problems = all("service.configuration").map(({ text }) => text);
    expect(exitCode).toBe(1);
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^SIGNET_OPERATOR_KEY repeats one byte/),
        expect.stringMatching(/^SIGNET_MASTER_KEYS version 1 has 5 bytes instead of 32/),
        "SIGNET_PORT is not a variable of Signet",
      ]),
    );
    expect(stdout).not.toContain("c2hvcnQ");
  });

  test("warns of what is allowed and unwise", async () => {
    const { exitCode, all } = await examine({ SIGNET_PUBLIC_URL: "http://id.example.com" });

    const texts = all("service.configuration").map(({ verdict, text }) => `${verdict}: ${text}`);
    expect(exitCode).toBe(0);
    expect(texts).toEqual([
      expect.stringMatching(/^warn: SIGNET_PUBLIC_URL should be an https/),
      expect.stringMatching(/^warn: SMTP_URL is not set/),
    ]);
  });

  test("tells a database that is away from an unfit one, and shows no password", async () => {
    const away = await examine({ DATABASE_URL: "postgres://signet_app:pass-of-app@127.0.0.1:1/x" });
    const unfit = await examine({ DATABASE_URL: home.database.adminUrl });

    expect(away).toMatchObject({ exitCode: 1 });
    expect(away.of("service.database")).toMatchObject({
      verdict: "fail",
      text: expect.stringContaining("ECONNREFUSED"),
      advice: expect.stringContaining("may this role connect"),
    });
    expect(away.stdout).not.toContain("pass-of-app");
    expect(unfit.all("service.database").map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/is a superuser$/),
    );
  });

  test("finds a wall between Sites that is down, and a migration that is missing", async () => {
    const { adminUrl } = home.database;
    await runAsAdmin(adminUrl, "alter table signet.users disable row level security");
    const open = await examine();
    await runAsAdmin(adminUrl, "alter table signet.users enable row level security");
    await runAsAdmin(
      adminUrl,
      `create table kept as select * from signet.migrations order by id desc limit 1;
       delete from signet.migrations where id in (select id from kept)`,
    );
    const behind = await examine();
    await runAsAdmin(adminUrl, "insert into signet.migrations select * from kept; drop table kept");
    const repaired = await examine();

    expect(open.of("service.database")).toMatchObject({
      verdict: "fail",
      text: "table signet.users has row-level security switched off",
    });
    expect(behind.of("service.database")?.text).toMatch(/^migration \d{4}_\w+ is missing/);
    expect(repaired.of("service.database")).toMatchObject({ verdict: "ok" });
  });

  test("finds an owner that may not migrate", async () => {
    const { of } = await examine({ DATABASE_OWNER_URL: home.database.appUrl });

    expect(of("service.database_owner")).toMatchObject({
      verdict: "fail",
      text: expect.stringContaining("permission denied to set role"),
    });
  });

  test("finds a mail server that is away, and one that keeps silent", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : 0;
    const from = { SMTP_FROM: "signet@example.com" };

    const [away, mute] = await Promise.all([
      examine({ ...from, SMTP_URL: "smtp://ada:pass-of-mail@127.0.0.1:1" }),
      examine({ ...from, SMTP_URL: `smtp://127.0.0.1:${port}` }),
    ]);
    silent.close();

    expect(away.of("service.mail")).toMatchObject({ verdict: "fail", text: "mail: ESOCKET" });
    expect(away.stdout).not.toContain("pass-of-mail");
    expect(mute.of("service.mail")).toMatchObject({ verdict: "fail", text: "mail: ETIMEDOUT" });
  });

  test("finds a certificate that is about to expire, or is none", async () => {
    const folder = await mkdtemp(join(tmpdir(), "signet-doctor-"));
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const tls = { SIGNET_TLS_CERT_FILE: certFile, SIGNET_TLS_KEY_FILE: keyFile };
    try {
      makeCertificate(certFile, keyFile, 90);
      const good = await examine(tls);
      makeCertificate(certFile, keyFile, 3);
      const old = await examine(tls);
      const missing = await examine({ ...tls, SIGNET_TLS_KEY_FILE: join(folder, "none.pem") });

      expect(good.of("service.certificate")).toMatchObject({ verdict: "ok" });
      expect(old.of("service.certificate")).toMatchObject({ verdict: "warn" });
      expect(missing.of("service.certificate")).toMatchObject({ verdict: "fail" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("says that a Signet without DATABASE_URL has a database of its own", async () => {
    const none = { DATABASE_URL: "", DATABASE_OWNER_URL: "" };

    const { of } = await examine(none);

    expect(of("service.database")).toMatchObject({ verdict: "skip" });
  });
});

describe("signet.keys", () => {
  test("warns of keys that expire soon, and says how to replace them", async () => {
    const { siteId } = home.site;
    const expireTime = timestampFromMs(Date.now() + 3 * 86_400_000);
    await createKey(home.operator, siteId, { label: "reports", expireTime });

    const bySite = await examine({}, []);
    const byOperator = await examine({ SIGNET_KEY: home.service.operatorKey }, ["--site", siteId]);

    expect(bySite.exitCode).toBe(0);
    expect(bySite.of("signet.keys")).toMatchObject({
      verdict: "warn",
      text: expect.stringMatching(/^the key reports \(.+\) expires at .+ UTC$/),
      advice: expect.stringContaining(`signet key create --site ${siteId}`),
    });
    expect(byOperator.of("signet.keys")).toEqual(bySite.of("signet.keys"));
  });

  test("tells a key that was cut off before it is sent", async () => {
    const { of, exitCode } = await examine({ SIGNET_KEY: home.site.key.slice(0, -3) }, []);

    expect(exitCode).toBe(1);
    expect(of("signet.key")).toMatchObject({
      verdict: "fail",
      text: expect.stringContaining("has not the form of a key"),
    });
  });
});

function makeCertificate(certFile: string, keyFile: string, days: number): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-days", `${days}`];
  const files = ["-keyout", keyFile, "-out", certFile];
  execFileSync("openssl", ["req", "-x509", ...curve, ...names, ...files], { stdio: "ignore" });
}
