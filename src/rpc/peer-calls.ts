import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ContextValues, ServiceImpl } from "@connectrpc/connect";
import { MfaMethod } from "../../gen/signet/v1/auth_service_pb.ts";
import type { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { type User as UserMessage, UserSchema } from "../../gen/signet/v1/user_pb.ts";
import type { Deps } from "../domain/deps.ts";
import { openPageOf, sealPageOf } from "../domain/page-token.ts";
import { listPeers, testPeer } from "../domain/peer-admin.ts";
import { completePeerMfa, siteOfPeer, verifyPeerLogin } from "../domain/peer-answers.ts";
import type { SiteKeyCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { NO_SITE, parseOptionalId, type SiteId } from "../model/id.ts";
import { parsePasswordAttempt } from "../model/password.ts";
import type { User } from "../model/user.ts";
import { callerOf } from "./authorize.ts";
import { toPeerMessage, toPeerTestMessage } from "./convert-peer.ts";
import { clientOf } from "./convert-session.ts";
import { toUserMessage } from "./convert-user.ts";
import { parseCode, parseIdentifier } from "./login-fields.ts";
import { parseToken } from "./one-time-fields.ts";
import { pageLimit } from "./pagination.ts";
import { projectionOf, projectUser } from "./user-fields.ts";

/** Implements what `signet.v1.SyncService` has about Peers, and what they ask of each other. */
export function peerCalls(deps: Deps) {
  return {
    async listPeers(request) {
      const siteId = parseOptionalId<SiteId>(request.siteId, "site_id");
      const limit = pageLimit(request.pageSize);
      const question = { list: "peers", filter: siteId ?? "" };
      const place = openPageOf(deps, NO_SITE, question, request.pageToken);
      const after = place?.toString() ?? "";
      const listed = await listPeers(deps, siteId, { after, limit });
      const last = listed.length === limit ? listed.at(-1) : undefined;
      const token = last && sealPageOf(deps, NO_SITE, question, Buffer.from(last.peer.name));
      return { peers: listed.map(toPeerMessage), nextPageToken: token ?? "" };
    },

    async testPeer(request, { values }) {
      return toPeerTestMessage(await testPeer(deps, callerOf(values), request.name));
    },

    async checkPeer(_, { values }) {
      const caller = peerCallerOf(values);
      const { id, name } = await siteOfPeer(deps, caller);
      return {
        siteId: id,
        siteName: name,
        userFields: [...caller.userFields],
        sync: caller.scopes.includes("sync"),
        serverTime: timestampFromDate(deps.clock.now()),
      };
    },

    async verifyPeerLogin(request, context) {
      const caller = peerCallerOf(context.values);
      const verified = await verifyPeerLogin(deps, caller, {
        identifier: parseIdentifier(request.identifier),
        password: parsePasswordAttempt(request.password, "password"),
        client: clientOf(request.client, context),
        signal: context.signal,
      });
      if (verified.outcome === "user") {
        return { result: { case: "user", value: toShownUser(verified.user, caller) } };
      }
      const { text, expireTime } = verified.challenge;
      const value = {
        challengeToken: text.reveal(),
        methods: [MfaMethod.TOTP, MfaMethod.RECOVERY_CODE],
        expireTime: timestampFromDate(expireTime),
      };
      return { result: { case: "mfaChallenge", value } };
    },

    async completePeerMfa(request, context) {
      const caller = peerCallerOf(context.values);
      const user = await completePeerMfa(deps, caller, {
        challengeToken: parseToken(request.challengeToken, "challenge_token"),
        code: parseCode(request.code),
        client: clientOf(request.client, context),
      });
      return { user: toShownUser(user, caller) };
    },
  } satisfies Partial<ServiceImpl<typeof SyncService>>;
}

/** Another Signet has a site key, and nobody else is admitted. */
function peerCallerOf(values: ContextValues): SiteKeyCaller {
  const caller = callerOf(values);
  if (caller.kind !== "site_key") throw new Failure("access_denied");
  return caller;
}

/** Roles mean something at this Signet alone, and are never told to another. */
function toShownUser(user: User, caller: SiteKeyCaller): UserMessage {
  const shown = projectUser(toUserMessage(user), projectionOf(caller));
  return Object.assign(create(UserSchema), shown, { roles: [] });
}
