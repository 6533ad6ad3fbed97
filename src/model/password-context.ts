import { domainToUnicode } from "node:url";
import type { Secret } from "./secret.ts";
import type { Site } from "./site.ts";
import type { User } from "./user.ts";

/** Where a password is to be used, and by whom: a guesser begins with the names of both. */
export interface PasswordContext {
  readonly site: Pick<Site, "name" | "domains">;
  readonly user: Pick<User, "email" | "username" | "displayName">;
}

/** What is wrong with a password of names; Signet's own pages know the problem by this text. */
export const CONTEXT_PROBLEM = "is little more than names of the Site or the User";

/** Shorter words stand in too many passwords by chance. */
const WORD_CHARACTERS_MIN = 4;

/**
 * What people put beside a name, such as a year, a place or `my`, is shorter than this or has no
 * letters; whoever writes a further word of six letters is over it. How strong that word is, the
 * rules of length and of common passwords judge.
 */
const OWN_CHARACTERS_MIN = 6;

/**
 * Says whether a password is little more than names: of the Site, its domains, the User, the
 * address and Signet.
 *
 * Such words, of four letters or more, are taken out, in any case and any form of Unicode, and so
 * are digits and punctuation at the ends of what is left. Fewer than six characters of one's own
 * are too few. A password without such a word is never one of names, whatever it is made of.
 */
export function isMadeOfContext(password: Secret, context: PasswordContext): boolean {
  const folded = fold(password.reveal());
  const rest = wordsOf(context).reduce((text, word) => text.replaceAll(word, ""), folded);
  return rest !== folded && ownCharacters(rest) < OWN_CHARACTERS_MIN;
}

/** The longest first: a name as a whole goes before its parts. */
function wordsOf({ site, user }: PasswordContext): string[] {
  const [localPart = "", domain = ""] = user.email?.split("@") ?? [];
  const ofSite = [site.name, ...site.domains.map(firstLabel)];
  const ofUser = [user.username ?? "", user.displayName, localPart, firstLabel(domain)];
  const names = ["signet", ...ofSite, ...ofUser].map((name) => fold(name.trim()));
  const words = names.flatMap((name) => [name, ...(name.match(/[\p{L}\p{M}]+/gu) ?? [])]);
  return words.filter(isWord).sort((one, other) => other.length - one.length);
}

function isWord(text: string): boolean {
  return (text.match(/[\p{L}\p{N}]/gu) ?? []).length >= WORD_CHARACTERS_MIN;
}

function firstLabel(domain: string): string {
  return domainToUnicode(domain).split(".")[0] ?? "";
}

/** In upper case, the sharp s is two letters, and a sigma the same wherever it stands. */
function fold(text: string): string {
  return text.normalize("NFKC").toUpperCase().normalize("NFKC");
}

/** Counts what is left without digits, punctuation, signs and spaces at the ends. */
function ownCharacters(text: string): number {
  const characters = [...text];
  const isOwn = (one: string): boolean => !/[\p{N}\p{P}\p{Z}\p{Sc}\p{Sk}\p{Sm}\p{Cc}]/u.test(one);
  const first = characters.findIndex(isOwn);
  return first < 0 ? 0 : characters.findLastIndex(isOwn) - first + 1;
}
