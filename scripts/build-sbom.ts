import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What is changed of a bill of materials in CycloneDX; all else of it stays as npm wrote it. */
interface Bill {
  readonly metadata: { readonly component: { name: string } };
}

const WORDS = ["sbom", "--package-lock-only", "--sbom-format", "cyclonedx"];
/** Twenty times what it was when this was written. */
const SBOM_BYTES_MAX = 10_000_000;

/**
 * Lists every package of the lock file, without a registry: `node scripts/build-sbom.ts <file>`.
 *
 * Those for development are among them, marked as such: the console is built out of some.
 */
const file = process.argv[2] ?? "dist/signet.cdx.json";
const options = { encoding: "utf8", maxBuffer: SBOM_BYTES_MAX } as const;
const bill = JSON.parse(execFileSync("npm", [...WORDS, "--sbom-type", "application"], options));
// Npm puts the name of the folder there.
(bill as Bill).metadata.component.name = "signet";
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(bill, undefined, 2)}\n`);
