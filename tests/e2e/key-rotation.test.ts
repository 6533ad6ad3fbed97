import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SigningKeyState } from "../../gen/signet/v1/site_service_pb.ts";
import { signUp } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { startChecks } from "../support/paced-checks.ts";
import {
  openSiteOnTwoProcesses,
  type SiteOnTwoProcesses,
} from "../support/site-on-two-processes.ts";
import { until } from "../support/waiting.ts";

const CHECKS_PER_SECOND = 100;
const CHECKS_BETWEEN = 200;
const ROTATIONS = 4;

let opened: SiteOnTwoProcesses;

beforeAll(async () => {
  opened = await openSiteOnTwoProcesses();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("a rotation of the signing key", () => {
  test(`fails none of ${CHECKS_PER_SECOND} checks each second at two processes`, async () => {
    const { backends, services, site } = opened;
    const [signing, checking] = backends;
    const person = await signUp(signing);
    const own = { accessToken: person.accessToken };
    const keySets = services.map(({ url }) =>
      // As any app reads it: it asks again for a key that it does not know.
      createRemoteJWKSet(new URL(`${url}/sites/${site.siteId}/.well-known/jwks.json`), {
        cooldownDuration: 0,
      }),
    );
    const checks = startChecks(CHECKS_PER_SECOND, async (n) => {
      const [minter, checker, keySet] =
        n % 2 === 0 ? [signing, checking, keySets[1]] : [checking, signing, keySets[0]];
      const token = await mint(minter);
      const { result } = await checker.auth.validateToken({ token });
      if (result.case !== "valid") throw new Error(`a good token was ${result.case}`);
    });
  });
});
