import { hostileCalls } from "../support/hostile-calls.ts";
import { testLong } from "../support/hostile-long.ts";
import { PROTOCOLS } from "../support/hostile-requests.ts";

testLong("messages", PROTOCOLS, hostileCalls);
