import type { MessageInitShape } from "@bufbuild/protobuf";
import { InvalidArgumentError, Option } from "commander";
import {
  type Lifetimes,
  LifetimesSchema,
  MfaPolicySchema,
  SigningAlgorithmSchema,
} from "../../gen/signet/v1/site_pb.ts";
import { enumWords } from "./enum-words.ts";
import { parseNumber } from "./options.ts";

/** What a Site says of second factors. */
export const MFA_POLICIES = enumWords(MfaPolicySchema);

/** What signs a Site's tokens. */
export const SIGNING_ALGORITHMS = enumWords(SigningAlgorithmSchema);

/** Lifetimes as far as they were given; the server has a default for each. */
export type LifetimesInit = MessageInitShape<typeof LifetimesSchema>;

/** The fields of {@link Lifetimes} by the words that people use, such as `access-token`. */
export const LIFETIME_FIELDS: ReadonlyMap<string, keyof Lifetimes> = new Map(
  LifetimesSchema.fields.map(({ name, localName }) => [
    name.replace(/_seconds$/, "").replaceAll("_", "-"),
    localName as keyof Lifetimes,
  ]),
);

/** An option that says how long one kind of thing lives; it may be repeated. */
export function lifetimeOption(flags: string): Option {
  const names = [...LIFETIME_FIELDS.keys()].join(", ");
  return new Option(flags, `how long something lives (may be repeated): ${names}`).argParser(
    (text: string, before: LifetimesInit = {}) => ({ ...before, ...parseLifetime(text) }),
  );
}

function parseLifetime(text: string): LifetimesInit {
  const [name = "", seconds = ""] = text.split("=");
  const field = LIFETIME_FIELDS.get(name);
  if (!field) throw new InvalidArgumentError(`"${name}" is not among the lifetimes.`);
  return { [field]: parseNumber(seconds) };
}
