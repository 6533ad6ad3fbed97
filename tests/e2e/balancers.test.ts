import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { hasNginx } from "../../bench/nginx.ts";
import { clientsOf, openSite, uniqueEmail } from "../support/builders.ts";
import { hasHaproxy, startHaproxyBalancer, startNginxBalancer } from "../support/call-balancer.ts";
import { openTestDatabase } from "../support/database.ts";
import { createGrpcJsTransport } from "../support/grpc-js-transport.ts";
import { importRows } from "../support/imports.ts";
import { restartRolling } from "../support/rolling-restart.ts";
import { freePort, startService } from "../support/service.ts";

/** A balancer may take a process for dead for 2 s, and the other one is still starting then. */
const REPEATS_MS_MAX = 15_000;

const BALANCERS = [
  { name: "nginx-grpc.conf", isHere: hasNginx(), balance: startNginxBalancer },
  { name: "haproxy.cfg", isHere: hasHaproxy(), balance: startHaproxyBalancer },
];

describe.each(BALANCERS)("two Signets behind examples/$name", ({ isHere, balance }) => {
  test.skipIf(!isHere)(
    "are replaced under streams and calls over every protocol, and none is lost",
    async ({ annotate }) => {
      const restart = await restartRolling({
        streams: 20,
        callers: 4,
        callsBetween: 40,
        balance,
        repeatsMsMax: REPEATS_MS_MAX,
      });
      const { exits, failures, miscounted, gaps, calls, repeats } = restart;

      await annotate(`${calls} calls, ${repeats} repeated`);
      expect(exits.map(({ code }) => code)).toEqual([0, 0]);
      expect(failures).toEqual([]);
      expect(miscounted).toBe(0);
      expect(gaps).toBe(0);
    },
  );

  test.skipIf(!isHere)(
    "are called by grpc-js, and take a stream of rows, while one of them is away",
    async () => {
      await using database = await openTestDatabase();
      await using service = await startService({ databaseUrl: database.appUrl });
      await using balancer = await balance([service.port, await freePort()]);
      const transport = createGrpcTransport({ baseUrl: balancer.url });
      const site = await openSite(transport, service.operatorKey);
      const grpcJs = createGrpcJsTransport(new URL(balancer.url).host);
      const { users, sync } = clientsOf(grpcJs, site.key);
      const rows = Array.from({ length: 10 }, () => ({ email: uniqueEmail() }));

      const outcomes = await importRows(site.backend, rows, {}, 3);
      const made = await Promise.all(rows.map(() => users.createUser({ email: uniqueEmail() })));
      const frames: string[] = [];
      for await (const { frame } of sync.watchUsers({})) {
        frames.push(frame.case ?? "");
        if (frame.case === "snapshotEnd") break;
      }
      grpcJs.close();

      expect(outcomes.map(({ outcome }) => outcome)).toEqual(rows.map(() => "CREATED"));
      expect(made.every(({ user }) => user)).toBe(true);
      expect([frames[0], frames.at(-1)]).toEqual(["hello", "snapshotEnd"]);
    },
  );
});
