import { startBenchService } from "../bench-service.ts";
import { parseOptions } from "../options.ts";
import { addUsers } from "../population.ts";
import { describeMachine, toTable } from "../report.ts";
import { judge } from "../verdict.ts";
import { measurePeers } from "./jobs.ts";
import { OTHER_USERS } from "./peer.ts";

process.exit(await main());

/** Runs the same jobs on Signet and on better-auth, on one PostgreSQL; returns the exit code. */
async function main(): Promise<number> {
  try {
    const { rounds, roundMs } = parseOptions(process.argv.slice(2));
    await using resources = new AsyncDisposableStack();
    // So many calls from one address are a flood to Signet; its peer has its limits off too.
    const settings = { SIGNET_RATE_LIMIT_PERCENT: "100000" };
    const service = await startBenchService(resources, process.env, settings);
    const { user } = await service.client.users.getUser({ userId: service.user.id });
    await addUsers(service, user?.siteId ?? "", OTHER_USERS);
    const figures = await measurePeers({ service, rounds, roundMs, resources });
    const machine = describeMachine(new Date());
    console.log(`${machine}; ${rounds} rounds of ${roundMs} ms\n`);
    console.log(toTable(figures.map(judge)));
    return 0;
  } catch (error) {
    console.error(`The comparison has failed: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}
