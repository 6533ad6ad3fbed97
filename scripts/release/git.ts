import { execFileSync } from "node:child_process";
import { ReleaseError } from "./options.ts";

/** Refuses what could not be told apart, or found again, later. @throws {ReleaseError} */
export function requireReleasable(version: string, tag: string, current: string): void {
  if (git("status", "--porcelain") !== "") {
    throw new ReleaseError("the tree has changes that are not committed");
  }
  if (git("tag", "--list", tag) !== "") throw new ReleaseError(`the tag ${tag} is there already`);
  if (compareVersions(version, current) < 0) {
    throw new ReleaseError(`${version} is older than ${current}, which package.json has`);
  }
}

/** Returns the branch that is checked out. @throws {ReleaseError} where there is none. */
export function currentBranch(): string {
  const branch = git("branch", "--show-current");
  if (branch === "") throw new ReleaseError("no branch is checked out");
  return branch;
}

function git(...words: readonly string[]): string {
  return execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** Orders versions by their numbers; a candidate comes before its release. */
function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => {
    const [numbers = "", ...suffix] = version.split("-");
    return [...numbers.split(".").map(Number), suffix.length === 0 ? 1 : 0];
  });
  const difference = a?.map((part, n) => part - (b?.[n] ?? 0)).find((each) => each !== 0);
  return difference ?? one.localeCompare(other, "en", { numeric: true });
}
