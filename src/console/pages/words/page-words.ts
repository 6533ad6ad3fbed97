import type { AskPath, PagePath } from "../kinds.ts";

/** What a page says before and after its act; `site` is the Site's name. */
export interface ActWords {
  readonly title: string;
  readonly lead: (site: string) => string;
  readonly button: string;
  readonly doneTitle: string;
  readonly done: (site: string) => string;
  /** What to do about a link that no longer works. */
  readonly gone: (site: string) => string;
}

/** What a page says that sends another link. */
export interface AskWords {
  readonly title: string;
  readonly lead: string;
  readonly button: string;
  readonly sentTitle: string;
  /** True of every address, whether it has an account or not. */
  readonly sent: (email: string) => string;
}

/** A heading with a sentence. */
export interface Notice {
  readonly title: string;
  readonly text: string;
}

/** What can be wrong with a request, apart from its link and its fields. */
export type ProblemName = "rateLimited" | "busy" | "failed" | "unknown" | "emailTaken" | "foreign";

/** All that the pages say in one language. */
export interface PageWords {
  readonly acts: Readonly<Record<PagePath, ActWords>>;
  readonly asks: Readonly<Record<AskPath, AskWords>>;
  readonly goneTitle: string;
  /** Why a link may have stopped to work. */
  readonly goneReason: string;
  readonly problems: Readonly<Record<ProblemName, Notice>>;
  readonly goOn: (site: string) => string;
  /** Comes before the title of a page with errors, for those who hear it. */
  readonly error: string;
  readonly errors: string;
  readonly email: string;
  readonly newPassword: string;
  readonly passwordHint: (charactersMin: number) => string;
  readonly repeatPassword: string;
  readonly username: string;
  readonly usernameHint: string;
  readonly passwordMissing: string;
  readonly passwordTooShort: (charactersMin: number) => string;
  readonly passwordTooLong: string;
  readonly passwordKnown: string;
  readonly passwordOfNames: string;
  readonly passwordsDiffer: string;
  readonly usernameWrong: string;
  readonly usernameTaken: string;
  readonly emailWrong: string;
}
