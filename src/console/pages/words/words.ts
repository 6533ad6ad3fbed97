import type { Language } from "../language.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";
import type { PageWords } from "./page-words.ts";

/** The words in every language. */
export const WORDS: Readonly<Record<Language, PageWords>> = { en, de };
