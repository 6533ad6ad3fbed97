import { EDGES, hostileEdge } from "../support/hostile-edge.ts";
import { testLong } from "../support/hostile-long.ts";

testLong("edge", EDGES, hostileEdge);
