import { playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";

const CHECK = "tokens: local check of a seen token";
const BESIDE_MAP = "tokens: local check beside a Map lookup";

/** What the project promises of one core. */
const PROMISED_PER_SECOND = 1_000_000;
const TOKENS = 1_000;

/**
 * How often a second one core checks a token that it has seen before, with a verifier that follows
 * revocations. Beside it: a look-up of the same text in a `Map`. Both take the token out of a
 * header anew each time, as a server does, so that nothing about the text is known from before.
 */
export const seenToken: Row = {
  names: [CHECK, BESIDE_MAP],
  async measure(bench) {
    const { client, accessToken } = bench.service;
    const verifier = client.tokenVerifier({ audience: audienceOf(accessToken) });
    bench.resources.defer(() => verifier.close());
    await verifier.verify(accessToken);
    const { signet, map } = await playRounds(bench.rounds, {
      signet: () => countChecks(bench, verifier.verify),
      map: () => countLookups(bench),
    });
    const promised = signet.map(() => PROMISED_PER_SECOND);
    const figure = { unit: "checks/s", samples: signet } as const;
    return [
      { ...figure, row: CHECK, yardstick: { name: "as promised", samples: promised }, goal: 1 },
      { ...figure, row: BESIDE_MAP, yardstick: { name: "Map", samples: map } },
    ] satisfies Figure[];
  },
};

async function countChecks(
  { roundMs, service }: Bench,
  verify: (token: string) => Promise<unknown>,
): Promise<number> {
  const header = `Bearer ${service.accessToken}`;
  const beginMs = performance.now();
  let checks = 0;
  for (; performance.now() - beginMs < roundMs; checks += TOKENS) {
    for (let n = 0; n < TOKENS; n += 1) await verify(header.slice("Bearer ".length));
  }
  return checks / ((performance.now() - beginMs) / 1_000);
}

async function countLookups({ roundMs, service }: Bench): Promise<number> {
  const seen = new Map([[service.accessToken, {}]]);
  const header = `Bearer ${service.accessToken}`;
  const beginMs = performance.now();
  let [lookups, found] = [0, 0];
  for (; performance.now() - beginMs < roundMs; lookups += TOKENS) {
    for (let n = 0; n < TOKENS; n += 1) found += seen.has(header.slice("Bearer ".length)) ? 1 : 0;
  }
  if (found !== lookups) throw new Error("the token is in the Map");
  return lookups / ((performance.now() - beginMs) / 1_000);
}

function audienceOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  return [claims.aud].flat()[0];
}
