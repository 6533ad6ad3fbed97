import { join } from "node:path";
import type { Config } from "./config.ts";
import { OPERATOR_KEY_FILE } from "./crypto/local-keys.ts";
import type { Secret } from "./model/secret.ts";

const FRONT_END = "--frontend-url http://localhost:3000";

/** Says where the service is and what to try; the operator key is shown at the first start. */
export function readyMessage(
  config: Config,
  keys: { readonly operatorKey: Secret; readonly created: boolean },
  startMs: number,
): string {
  const { host, port, tls, dataDir } = config;
  const shownHost = host.includes(":") ? `[${host}]` : host;
  const url = `${tls ? "https" : "http"}://${shownHost}:${port}`;
  const curl = `npx buf curl ${tls ? "" : "--http2-prior-knowledge "}--protocol grpc`;
  const keyCommand = config.operatorKey
    ? "export SIGNET_KEY=<the operator key>"
    : `export SIGNET_KEY=$(cat ${join(dataDir, OPERATOR_KEY_FILE)})`;
  return [
    `Signet is ready at ${url} after ${(startMs / 1_000).toFixed(1)} s.`,
    ...(keys.created ? [`Operator key (shown once): ${keys.operatorKey.reveal()}`] : []),
    "",
    "Try:",
    `  ${keyCommand}`,
    `  npm run signet -- site create --name Demo --domain demo.example ${FRONT_END}`,
    `  ${curl} ${url} --list-methods`,
    `  ${curl} -d '{"domain": "demo.example"}' ${url}/signet.v1.SiteService/GetSiteByDomain`,
    "",
  ].join("\n");
}
