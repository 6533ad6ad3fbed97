import type { ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "../../gen/signet/v1/user_service_pb.ts";
import { hasScope, siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { openPageOf, type PagedQuestion, sealPageOf } from "../domain/page-token.ts";
import { currentHead } from "../domain/sync.ts";
import { createUserCounts } from "../domain/user-counts.ts";
import { type ListPlace, listUsers } from "../domain/user-lists.ts";
import { sealWatchCursor } from "../domain/watch-cursor.ts";
import type { Caller } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import { fitAnswer } from "./answer-weight.ts";
import { callerOf } from "./authorize.ts";
import { toUserMessage } from "./convert-user.ts";
import { pageLimit } from "./pagination.ts";
import { projectionOf, projectUser } from "./user-fields.ts";
import { parseUserFilter } from "./user-filter.ts";
import { parseWatchScope } from "./watch-scope.ts";

/** What a page has to know of those before it. */
interface ListState {
  readonly after: ListPlace | undefined;
  /** From where all is told that has changed since before the first page; empty: not for them. */
  readonly syncCursor: string;
}

/** The calls about many Users at once. */
export function userListCalls(deps: Deps) {
  const countUsers = createUserCounts(deps);
  return {
    async listUsers(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const limit = pageLimit(request.pageSize);
      const filter = parseUserFilter(request.filter, caller);
      const projection = projectionOf(caller);
      const question = { list: "users", filter: JSON.stringify([filter, projection]) };
      await deps.sites.get(siteId);
      const state =
        openListState(deps, siteId, question, request.pageToken) ??
        (await beginList(deps, caller, siteId));
      const page = await listUsers(deps, siteId, filter, { after: state.after, limit });
      const { fitting, next } = fitPage(page.users, page.next);
      return {
        users: fitting.map(({ user }) => projectUser(toUserMessage(user), projection)),
        nextPageToken: next ? sealListState(deps, siteId, question, { ...state, after: next }) : "",
        // The page before may have been another key's.
        syncCursor: hasScope(caller, "sync") ? state.syncCursor : "",
      };
    },

    async countUsers(request, { values, signal }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const filter = parseUserFilter(request.filter, caller);
      return { count: BigInt(await countUsers(siteId, filter, signal)) };
    },
  } satisfies Partial<ServiceImpl<typeof UserService>>;
}

/** The head is taken before the first page, so that no change falls between list and tail. */
async function beginList(deps: Deps, caller: Caller, siteId: SiteId): Promise<ListState> {
  if (!hasScope(caller, "sync")) return { after: undefined, syncCursor: "" };
  const { epoch, position } = await currentHead(deps, siteId);
  const scope = parseWatchScope(undefined, caller).name;
  const syncCursor = sealWatchCursor(deps, siteId, scope, { phase: "tail", epoch, position });
  return { after: undefined, syncCursor };
}

/** A page of large Users is shorter than asked, and goes on behind the last that fits. */
function fitPage<
  T extends { readonly user: Parameters<typeof fitAnswer>[0][number] } & {
    readonly place: ListPlace;
  },
>(users: readonly T[], end: ListPlace | undefined) {
  const { users: fit } = fitAnswer(users.map(({ user }) => user));
  const fitting = users.slice(0, fit.length);
  return { fitting, next: fit.length < users.length ? fitting.at(-1)?.place : end };
}

function sealListState(
  deps: Deps,
  siteId: SiteId,
  question: PagedQuestion,
  state: ListState,
): string {
  return sealPageOf(deps, siteId, question, Buffer.from(JSON.stringify(state)));
}

function openListState(
  deps: Deps,
  siteId: SiteId,
  question: PagedQuestion,
  token: string,
): ListState | undefined {
  const sealed = openPageOf(deps, siteId, question, token);
  return sealed && (JSON.parse(sealed.toString()) as ListState); // Sealed by this Signet alone.
}
