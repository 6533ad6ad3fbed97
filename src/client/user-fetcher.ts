import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { SignetClient } from "./signet-client.ts";

/** Reads Users, tombstones included, by id; those that the Site does not know are left out. */
export type UserFetcher = (userIds: readonly string[], siteId: string) => Promise<User[]>;

/** Makes a fetcher. As often as the answer would be too large it asks again for the rest. */
export function createUserFetcher({ users }: Pick<SignetClient, "users">): UserFetcher {
  return async (userIds, siteId) => {
    const found: User[] = [];
    for (let rest = [...userIds]; rest.length > 0; ) {
      const answer = await users.batchGetUsers({ siteId, userIds: rest });
      found.push(...answer.users);
      if (answer.remainingIds.length === rest.length) throw new Error("no User was looked at");
      rest = answer.remainingIds;
    }
    return found;
  };
}
