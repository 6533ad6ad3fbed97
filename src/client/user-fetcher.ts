import { create } from "@bufbuild/protobuf";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import {
  type BatchGetUsersRequest,
  BatchGetUsersRequestSchema,
  type BatchGetUsersResponse,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { SignetClient } from "./signet-client.ts";

/** Reads Users, tombstones included, by id; those that the Site does not know are left out. */
export type UserFetcher = (userIds: readonly string[], siteId: string) => Promise<User[]>;

/** Told of each call and its answer. */
export type FetchListener = (request: BatchGetUsersRequest, answer: BatchGetUsersResponse) => void;

/** Makes a fetcher. As often as the answer would be too large it asks again for the rest. */
export function createUserFetcher(
  { users }: Pick<SignetClient, "users">,
  listen?: FetchListener,
): UserFetcher {
  return async (userIds, siteId) => {
    const found: User[] = [];
    for (let rest = [...userIds]; rest.length > 0; ) {
      const request = create(BatchGetUsersRequestSchema, { siteId, userIds: rest });
      const answer = await users.batchGetUsers(request);
      listen?.(request, answer);
      found.push(...answer.users);
      if (answer.remainingIds.length === rest.length) throw new Error("no User was looked at");
      rest = answer.remainingIds;
    }
    return found;
  };
}
