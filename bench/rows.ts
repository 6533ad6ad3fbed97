import type { Row } from "./row.ts";
import { commitToSubscriber } from "./rows/commit-to-subscriber.ts";
import { fanOut } from "./rows/fan-out.ts";
import { forwardAuth } from "./rows/forward-auth.ts";
import { importUsers } from "./rows/import.ts";
import { login } from "./rows/login.ts";
import { loginFlood } from "./rows/login-flood.ts";
import { lookUp } from "./rows/look-up.ts";
import { mirrorSnapshot } from "./rows/mirror-snapshot.ts";
import { processes } from "./rows/processes.ts";
import { reconcile } from "./rows/reconcile.ts";
import { seenToken } from "./rows/seen-token.ts";
import { usersAtScale } from "./rows/users-at-scale.ts";
import { validateToken } from "./rows/validate-token.ts";
import { writeThroughput } from "./rows/write-throughput.ts";

/** Every row, in the order in which they are measured. */
export const ROWS: readonly Row[] = [
  validateToken,
  lookUp,
  seenToken,
  forwardAuth,
  login,
  loginFlood,
  commitToSubscriber,
  writeThroughput,
  fanOut,
  mirrorSnapshot,
  reconcile,
  importUsers,
  usersAtScale,
  processes,
];
