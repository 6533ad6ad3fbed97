import { readdirSync } from "node:fs";
import type { DescService } from "@bufbuild/protobuf";

const FOLDER = new URL("../../gen/signet/v1/", import.meta.url);

/** Finds every service of the contract, also one that nobody has thought of registering. */
export async function signetServices(): Promise<DescService[]> {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith("_pb.ts"));
  const modules = await Promise.all(
    files.map((name): Promise<Record<string, unknown>> => import(new URL(name, FOLDER).href)),
  );
  return modules.flatMap((module) => Object.values(module).filter(isService));
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}
