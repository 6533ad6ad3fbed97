import { describe, expect, test } from "vitest";
import { hasNginx } from "../../bench/nginx.ts";
import { describeProxiedApp } from "../conformance/proxied-app.ts";
import { startNginx } from "../support/edge-proxy.ts";
import { bearerOf, identityOf } from "../support/proxied-site.ts";
import { connectionSpoofs, identityIn } from "../support/spoofed-identity.ts";

const NAME = "an app behind nginx, as examples/nginx.conf has it";

describe.skipIf(!hasNginx())("with nginx", () => {
  describeProxiedApp(NAME, startNginx, ({ opened, ask }) => {
    test.each(connectionSpoofs())("loses nothing that it should learn: $way", async (spoof) => {
      const { user } = opened();

      const known = await ask("/", [...bearerOf(user), ...spoof.headers]);
      const unknown = await ask("/public/", spoof.headers);

      expect(identityIn(known)).toEqual(identityOf(opened(), user));
      expect(identityIn(unknown)).toEqual([]);
    });

    test("has its questions to Signet hidden from clients", async () => {
      const headers = bearerOf(opened().user);

      expect(await ask("/signet/user", headers)).toMatchObject({ status: 404 });
      expect(await ask("/signet/admin?role=user", headers)).toMatchObject({ status: 404 });
      expect(await ask("/admin/?role=user", headers)).toMatchObject({ status: 403 });
    });
  });
});
