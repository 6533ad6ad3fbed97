import { forkChild } from "../child-process.ts";
import { startHttpGenerator } from "../load.ts";
import { hasNginx, startNginx } from "../nginx.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Row } from "../row.ts";

const THROUGHPUT = "forward-auth: throughput through nginx";
const BARE_HTTP = new URL("../yardsticks/bare-http.ts", import.meta.url);

const CONNECTIONS = 64;
const WARM_UP_MS = 200;

/**
 * Requests a second that nginx passes on to an app when it asks Signet about each, beside those
 * when it asks a server that lets everything pass. Without nginx there is no figure.
 */
export const forwardAuth: Row = {
  names: [THROUGHPUT],
  async measure({ service, resources, rounds, roundMs }: Bench) {
    if (!hasNginx()) {
      console.error(`${THROUGHPUT}: left out, since this machine has no nginx`);
      return [];
    }
    const askedUrls = {
      signet: `${service.url}/forward-auth?role=user`,
      bare: await startBare(resources),
    };
    const nginx = resources.use(await startNginx(await startBare(resources), askedUrls));
    const generator = resources.use(startHttpGenerator());
    const load = (name: string) => () =>
      generator.apply({
        port: nginx.port,
        request: requestFor(name, service.accessToken),
        connections: CONNECTIONS,
        warmUpMs: WARM_UP_MS,
        ms: roundMs,
      });
    const samples = await playRounds(rounds, { signet: load("signet"), bare: load("bare") });
    const yardstick = samples.bare.map((each) => each.callsPerSecond);
    return [
      {
        row: THROUGHPUT,
        unit: "calls/s",
        samples: samples.signet.map((each) => each.callsPerSecond),
        yardstick: { name: "bare node:http", samples: yardstick },
        goal: 0.8,
      },
    ];
  },
};

/** Both the app and the yardstick. */
async function startBare(resources: AsyncDisposableStack): Promise<string> {
  const bare = resources.use(forkChild<object, { readonly port: number }>(BARE_HTTP));
  return `http://127.0.0.1:${(await bare.ask({})).port}/`;
}

function requestFor(name: string, accessToken: string): string {
  return `GET /${name}/ HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer ${accessToken}\r\n\r\n`;
}
