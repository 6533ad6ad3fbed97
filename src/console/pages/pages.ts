import { createClient } from "@connectrpc/connect";
import {
  AuthService,
  type CheckOneTimeTokenResponse,
} from "../../../gen/signet/v1/auth_service_pb.ts";
import { act, showForm } from "./act-page.ts";
import { ask, showAsk, showGone } from "./ask-page.ts";
import { type Auth, KINDS, type PageKind } from "./kinds.ts";
import { chooseLanguage } from "./language.ts";
import { isGone, problemOf } from "./refusals.ts";
import { type Scene, showProblem } from "./scene.ts";
import type { PageAnswer, PageRequest, PageSite, PagesOptions } from "./visit.ts";

/** The pages that Signet hosts for the links in mails. */
export interface Pages {
  /** Tells whether a path is that of a page. */
  has(path: string): boolean;
  /** Answers with a page, also where something is wrong; never fails. */
  answer(request: PageRequest): Promise<PageAnswer>;
}

const UNKNOWN = { name: "unknown", status: 404 } as const;

/** Creates the pages: each reads a link's token, shows a form, and calls Signet with it. */
export function createPages({ connect, findSite }: PagesOptions): Pages {
  return {
    has: (path) => placeOf(path) !== undefined,

    async answer(request) {
      const place = placeOf(request.path);
      const { form, query, headers } = request;
      const sent = form ?? query;
      const languageFor = (site: PageSite | undefined) =>
        chooseLanguage(sent.get("lang") ?? "", headers.get("accept-language") ?? "", site?.locale);
      let site: PageSite | undefined;
      try {
        if (place === undefined) return showProblem({ language: languageFor(site), site }, UNKNOWN);
        const auth = createClient(AuthService, connect(request));
        const token = sent.get("token") ?? "";
        // Before the Site is looked up: this counts who asks.
        const facts = token === "" ? undefined : await check(auth, place, token);
        site = await findSite(place.siteId);
        const language = languageFor(site);
        if (site === undefined) return showProblem({ language, site }, UNKNOWN);
        const scene: Scene = { ...place, auth, site, language };
        if (token === "") return form ? await ask(scene, form, headers) : showAsk(scene);
        if (facts === undefined) return showGone(scene);
        const link = { token, facts };
        return form ? await act(scene, link, form) : showForm(scene, link, {});
      } catch (error) {
        return showProblem({ language: languageFor(site), site }, problemOf(error));
      }
    },
  };
}

interface Place {
  readonly siteId: string;
  readonly kind: PageKind;
}

function placeOf(path: string): Place | undefined {
  const [, siteId, name] = /^\/sites\/([^/]+)\/([a-z-]+)$/.exec(path) ?? [];
  const kind = KINDS.find((one) => one.path === name);
  return siteId === undefined || kind === undefined ? undefined : { siteId, kind };
}

/** Returns undefined for a token that is of no use on this page, whatever the reason. */
async function check(
  auth: Auth,
  { siteId, kind }: Place,
  token: string,
): Promise<CheckOneTimeTokenResponse | undefined> {
  try {
    const facts = await auth.checkOneTimeToken({ siteId, token });
    return facts.purpose === kind.purpose ? facts : undefined;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
