import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Config, ConfigError, parseConfig, type TlsConfig } from "../config.ts";
import { createSmtpMailer } from "../mail/smtp-mailer.ts";
import type { Context } from "./context.ts";
import { checkServiceDatabase } from "./doctor-database.ts";
import { describeError } from "./error-line.ts";
import { type Finding, fail, ok, skip, warn } from "./finding.ts";

const DAY_MS = 86_400_000;
const EXPIRY_DAYS_WARN = 14;

/**
 * Checks what a service would start with here, with the variables of this process: the
 * configuration and its keys, the database, the certificate and the mail server. It writes
 * nothing, and sends no mail.
 */
export async function checkService(environment: Context["environment"]): Promise<Finding[]> {
  const read = readConfig(environment);
  if (!read.config) return [...read.findings];
  const { config } = read;
  const checks = [checkServiceDatabase(config, environment), checkMail(config)];
  if (config.tls) checks.push(checkCertificate(config.tls, environment));
  return [...read.findings, ...(await Promise.all(checks)).flat()];
}

interface ReadConfig {
  readonly config?: Config;
  readonly findings: readonly Finding[];
}

function readConfig(environment: Context["environment"]): ReadConfig {
  const check = "service.configuration";
  const advice = "correct the variable: .env.example explains each";
  try {
    const config = parseConfig(environment);
    const warnings = config.warnings.map((text) => warn(check, text, advice));
    if (warnings.length > 0) return { config, findings: warnings };
    const keys =
      config.operatorKey && config.masterKeys ? "and keys are strong" : "and is complete";
    return { config, findings: [ok(check, `every variable is known and well-formed, ${keys}`)] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: error.problems.map((text) => fail(check, text, advice)) };
  }
}

async function checkMail({ smtpUrl }: Config): Promise<Finding[]> {
  const check = "service.mail";
  if (!smtpUrl) return [skip(check, "there is no SMTP_URL: mails are printed")];
  const advice = "are host, port, TLS, name and password in SMTP_URL those of the mail server?";
  try {
    const mailer = createSmtpMailer({ url: smtpUrl });
    try {
      await mailer.verify();
    } finally {
      mailer.close();
    }
    return [ok(check, "the mail server answers, and lets Signet in")];
  } catch (error) {
    return [fail(check, error instanceof Error ? error.message : "unknown error", advice)];
  }
}

async function checkCertificate(
  { certFile, keyFile }: TlsConfig,
  environment: Context["environment"],
): Promise<Finding[]> {
  const check = "service.certificate";
  try {
    const certificate = new X509Certificate(await readFile(certFile));
    await readFile(keyFile); // That the key fits, the service checks when it listens.
    const daysLeft = Math.floor((certificate.validToDate.getTime() - Date.now()) / DAY_MS);
    const text = `the certificate is good until ${certificate.validTo}`;
    const advice = "renew it, and start the service again";
    if (daysLeft < 0) return [fail(check, `it has expired: ${certificate.validTo}`, advice)];
    return [daysLeft < EXPIRY_DAYS_WARN ? warn(check, text, advice) : ok(check, text)];
  } catch (error) {
    const advice = "both files must be PEM that this account may read";
    return [fail(check, describeError(error, environment), advice)];
  }
}
