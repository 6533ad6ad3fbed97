import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type ExportedUserSchema,
  type ExportUsersRequest,
  type PasswordHash,
  PasswordHashSchema,
  type UserService,
} from "../../gen/signet/v1/user_service_pb.ts";
import { knownSiteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { storedHashOf } from "../domain/imported-passwords.ts";
import { openPageOf, sealPageOf } from "../domain/page-token.ts";
import {
  type ExportedUser,
  type ExportJob,
  type ExportPage,
  exportUsers,
} from "../domain/user-exports.ts";
import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { idFromBytes, idToBytes, type SiteId, type UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { callerOf } from "./authorize.ts";
import { clientAddressOf } from "./client-address.ts";
import { toUserMessage } from "./convert-user.ts";
import { beginLongCall } from "./long-call.ts";
import { STREAM_BOUNDS } from "./stream-bounds.ts";
import type { StreamEnds } from "./stream-ends.ts";
import { createStreamSlots } from "./stream-slots.ts";
import { projectionOf, projectUser } from "./user-fields.ts";
import { parseUserFilter } from "./user-filter.ts";
import { subscriberName } from "./watch-open.ts";

/** A User is some 400 bytes without metadata, of which it has 8 KiB at most. */
const USER_BYTES_BASE = 1_024;
const MESSAGE_BYTES_MAX = 1024 * 1024;

/** The call that exports Users. */
export function exportCalls(
  deps: Deps,
  ends: StreamEnds,
): Pick<ServiceImpl<typeof UserService>, "exportUsers"> {
  const slots = createStreamSlots({
    eachMax: LIMITS.exportsPerCallerMax,
    siteMax: LIMITS.exportsPerSiteMax,
    totalMax: LIMITS.exportsMax,
    refusal: "too_many_streams",
    retryDelayMs: 1_000,
  });

  return {
    async *exportUsers(request, { values }) {
      const caller = callerOf(values);
      const siteId = await knownSiteOf(deps.sites, caller, request.siteId);
      const job = toJob(deps, caller, siteId, request);
      const projection = projectionOf(caller);
      const question = {
        list: "export",
        filter: JSON.stringify([job.filter, projection, job.includePasswords]),
      };
      const after = openPageOf(deps, siteId, question, request.resumeToken);
      const giveBack = slots.take(siteId, subscriberName(caller, "", clientAddressOf(values)));
      const call = beginLongCall(ends, siteId, caller);
      const page = { after: after && idFromBytes<UserId>(after), limit: LIMITS.pageSizeMax };
      const pages = exportUsers(job, page);
      try {
        for (;;) {
          const { value, done } = await call.race(pages.next());
          if (done === true) return;
          for (const { users, end } of splitPage(value)) {
            const resumeToken = sealPageOf(deps, siteId, question, idToBytes(end));
            const sentMs = performance.now();
            yield {
              users: users.map((user) => toExportedMessage(job, user, projection)),
              resumeToken,
            };
            if (performance.now() - sentMs > STREAM_BOUNDS.unreadMsMax) {
              throw new Failure("slow_consumer");
            }
          }
        }
      } finally {
        call.release();
        giveBack();
        await pages.return(undefined);
      }
    },
  };
}

/** @throws {Failure} `access_denied`, where somebody else than an operator asks for hashes. */
function toJob(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { filter, includePasswordHashes }: ExportUsersRequest,
): ExportJob {
  if (includePasswordHashes && caller.kind !== "operator") throw new Failure("access_denied");
  return {
    deps,
    caller,
    siteId,
    filter: parseUserFilter(filter, caller),
    includePasswords: includePasswordHashes,
  };
}

/** A page of large Users goes out in several messages, each of which an export may go on from. */
function* splitPage({ users, end }: ExportPage): Generator<ExportPage> {
  let [first, bytes] = [0, 0];
  for (const [n, { user }] of users.entries()) {
    bytes += USER_BYTES_BASE + (user.metadata ? JSON.stringify(user.metadata).length : 0);
    const last = users[n - 1];
    if (bytes <= MESSAGE_BYTES_MAX || !last) continue;
    yield { users: users.slice(first, n), end: last.user.id };
    [first, bytes] = [n, USER_BYTES_BASE];
  }
  yield { users: users.slice(first), end };
}

function toExportedMessage(
  { deps, siteId }: ExportJob,
  { user, password }: ExportedUser,
  projection: readonly string[],
): MessageInitShape<typeof ExportedUserSchema> {
  return {
    user: projectUser(toUserMessage(user), projection),
    ...(password && { passwordHash: toHashMessage(storedHashOf(deps, siteId, password)) }),
  };
}

function toHashMessage(hash: ReturnType<typeof storedHashOf>): PasswordHash {
  switch (hash.scheme) {
    case "encoded":
      return create(PasswordHashSchema, { scheme: { case: "encoded", value: hash.encoded } });
    case "firebase_scrypt": {
      const { salt, hash: derived } = hash;
      const value = { salt: Buffer.from(salt), hash: Buffer.from(derived) };
      return create(PasswordHashSchema, { scheme: { case: "firebaseScrypt", value } });
    }
    case "peppered": {
      const { encoded, pepperVersion } = hash;
      const value = { encoded, pepperVersion };
      return create(PasswordHashSchema, { scheme: { case: "peppered", value } });
    }
  }
}
