import type { Caller } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import type { ImportOptions } from "../model/user-import.ts";
import type { Deps } from "./deps.ts";
import type { NameMemory } from "./name-memory.ts";

/** One import, as it was asked for. */
export interface ImportJob {
  readonly deps: Deps;
  readonly caller: Caller;
  readonly siteId: SiteId;
  readonly options: ImportOptions;
  /** What earlier rows of a dry run would have taken; absent: it is none. */
  readonly taken: NameMemory | undefined;
}
