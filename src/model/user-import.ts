import type { Failure } from "./failure.ts";
import type { UserId } from "./id.ts";
import type { User } from "./user.ts";

/** How an import is to be done. */
export interface ImportOptions {
  /** Whether to check everything and write nothing. */
  readonly dryRun: boolean;
  /** What becomes of a User who exists: kept but for what it lacks, or given what the row has. */
  readonly mode: "keep" | "update";
  /** The name of the system that the Users come from. */
  readonly source: string;
}

/** What a row says of a User; what the row leaves empty is absent. */
export type ImportedFields = Partial<
  Pick<
    User,
    | "email"
    | "username"
    | "displayName"
    | "pictureUrl"
    | "locale"
    | "roles"
    | "externalId"
    | "metadata"
  >
>;

/** The hash of a password, as other systems keep it. */
export type ForeignHash =
  /** It says itself how it was made. */
  | { readonly scheme: "encoded"; readonly encoded: string }
  | {
      readonly scheme: "pbkdf2";
      readonly digest: string;
      readonly iterations: number;
      readonly salt: Uint8Array;
      readonly hash: Uint8Array;
    }
  | {
      readonly scheme: "firebase_scrypt";
      readonly salt: Uint8Array;
      readonly hash: Uint8Array;
    }
  /** Made by a Signet. */
  | { readonly scheme: "peppered"; readonly encoded: string; readonly pepperVersion: number };

/** The hash of a password, as it is to be stored. */
export interface ImportedPassword {
  readonly phc: string;
  readonly pepperVersion: number;
}

/** One User to import, every field of it parsed. */
export interface ImportRow {
  /** The number of the row, as the caller counts. */
  readonly row: number;
  readonly id: UserId | undefined;
  readonly fields: ImportedFields;
  /** Whether the other system has verified the address. */
  readonly emailVerified: boolean;
  readonly password: ImportedPassword | undefined;
  readonly disabled: boolean;
  /** Absent: now. */
  readonly createTime: Date | undefined;
}

/** A row that is wrong, and why. */
export interface RefusedRow {
  readonly row: number;
  readonly failure: Failure;
}

/** A row as it was read. */
export type ReadRow = ImportRow | RefusedRow;

/** What became of a row. */
export type ImportResult =
  | {
      readonly row: number;
      readonly outcome: "created" | "updated" | "unchanged";
      /** Absent: the User would have been made, were it not a dry run. */
      readonly user: { readonly id: UserId; readonly version: number } | undefined;
    }
  | { readonly row: number; readonly outcome: "refused"; readonly failure: Failure };

/** Tells whether a row was refused when it was read. */
export function isRefused(row: ReadRow): row is RefusedRow {
  return "failure" in row;
}

/** Tells whether a row may be imported, as far as can be told by reading it. */
export function isReadable(row: ReadRow): row is ImportRow {
  return !isRefused(row);
}
