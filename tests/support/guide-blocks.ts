import { readFileSync } from "node:fs";

/** Returns the blocks of a guide that are in one language, in their order. */
export function blocksOf(guide: string, language: string): string[] {
  const text = readFileSync(`docs/guides/${guide}.md`, "utf8");
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms");
  return [...text.matchAll(fence)].map(([, block = ""]) => block);
}
