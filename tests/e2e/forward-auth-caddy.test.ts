import { describe, expect, test } from "vitest";
import { describeProxiedApp } from "../conformance/proxied-app.ts";
import { hasCaddy, startCaddy } from "../support/edge-proxy.ts";
import { bearerOf } from "../support/proxied-site.ts";
import { connectionSpoofs } from "../support/spoofed-identity.ts";

const NAME = "an app behind Caddy, as examples/Caddyfile has it";

describe.skipIf(!hasCaddy())("with Caddy", () => {
  describeProxiedApp(NAME, startCaddy, ({ opened, ask }) => {
    test.each(connectionSpoofs())("loses nothing that it should learn: $way", async (spoof) => {
      const reached = opened().app.paths.length;

      const known = await ask("/", [...bearerOf(opened().user), ...spoof.headers]);
      const unknown = await ask("/public/", spoof.headers);

      expect([known.status, unknown.status]).toEqual([400, 400]);
      expect(opened().app.paths).toHaveLength(reached);
    });

    test("may be asked to keep its connection open, as ever", async () => {
      const headers = [...bearerOf(opened().user), ["Connection", "keep-alive, TE"]] as const;

      expect(await ask("/", headers)).toMatchObject({ status: 200 });
    });

    test("cannot be asked in Signet's place by a query", async () => {
      const headers = bearerOf(opened().user);

      expect(await ask("/admin/?role=user", headers)).toMatchObject({ status: 403 });
    });
  });
});
