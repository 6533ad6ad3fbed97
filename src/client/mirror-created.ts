import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { MirrorRules } from "./mirror-storage.ts";

/** Apps write their own rows in statements that hold so many. */
const USERS_MAX = 500;

/** Calls `onCreate` for the Users whose rows are new, at most 500 at a time. */
export async function tellCreated<Transaction>(
  { onCreate }: MirrorRules<Transaction>,
  transaction: Transaction,
  users: readonly User[],
): Promise<void> {
  for (let n = 0; n < users.length; n += USERS_MAX) {
    await onCreate?.(transaction, users.slice(n, n + USERS_MAX));
  }
}
