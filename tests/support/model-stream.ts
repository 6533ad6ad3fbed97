import { type Client, ConnectError } from "@connectrpc/connect";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import type { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import type { ChangeStream, ModelChange, UserView } from "./model-state.ts";
import { until } from "./waiting.ts";

const COMES_WITHIN_MS = 60_000;

/** Follows a Site from its beginning. */
export async function openChangeStream(sync: Client<typeof SyncService>): Promise<ChangeStream> {
  const changes: (ModelChange & { readonly position: number })[] = [];
  let cursor = "";
  let leaving = new AbortController();
  let reading: Promise<void> = Promise.resolve();

  async function open(from: Client<typeof SyncService>): Promise<void> {
    leaving = new AbortController();
    let begun = false;
    const read = async (signal: AbortSignal): Promise<void> => {
      for await (const { frame } of from.watchUsers({ cursor }, { signal })) {
        begun = true;
        if (frame.case === "snapshotPage" && frame.value.users.length > 0) {
          throw new Error("a snapshot of a Site that had no Users");
        }
        for (const change of frame.case === "changeBatch" ? frame.value.changes : []) {
          const kinds = [change.kind, ...change.furtherKinds].map((kind) =>
            nameIn(ChangeKind, kind),
          );
          const user = viewOfMessage(change.user);
          changes.push({ position: Number(change.position), kinds: kinds.sort(), user });
        }
        if (frame.value && "cursor" in frame.value) cursor = frame.value.cursor;
      }
    };
    let problem: unknown;
    // The end of a stream is no fault by itself: what does not come is missed by the comparison.
    reading = read(leaving.signal).catch((error: unknown) => {
      problem = ConnectError.from(error);
    });
    await until(() => {
      if (problem) throw problem;
      return begun;
    }, COMES_WITHIN_MS);
  }

  async function leave(): Promise<void> {
    leaving.abort();
    await reading;
  }

  await open(sync);
  return {
    changes,
    async reopen(from) {
      await leave();
      await open(from);
    },
    [Symbol.asyncDispose]: leave,
  };
}

/** Returns what a message says of a User. */
export function viewOfMessage(user: User | undefined): UserView {
  if (!user) throw new Error("a User is missing");
  const { id, email, emailVerified, username, displayName, externalId, roles } = user;
  return {
    id,
    email,
    emailVerified,
    username,
    displayName,
    externalId,
    roles: [...roles],
    deletionProtected: user.deletionProtected,
    version: Number(user.version),
    state: nameIn(UserState, user.state),
    hasPassword: user.passwordChangeTime !== undefined,
  };
}

/** Returns what an enum calls a value. */
export function nameIn(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, each]) => each === value)?.[0] ?? String(value);
}
