import { createHash } from "node:crypto";
import { clone, equals, fromBinary } from "@bufbuild/protobuf";
import { type AuditEvent, AuditEventSchema } from "../../gen/signet/v1/user_service_pb.ts";

/** The first place at which a chain is not whole. */
export interface BrokenLink {
  readonly sequence: bigint;
  /** Empty: there is no event of this number. */
  readonly eventId: string;
  readonly problem: string;
}

/** What came of a check of a chain. */
export interface VerifyReport {
  readonly from: bigint;
  /** The last number that is whole; less than `from`: none. */
  readonly until: bigint;
  /** The hash of that event, to be kept elsewhere. */
  readonly head: string;
  readonly erased: number;
  readonly broken: BrokenLink | undefined;
  /** Absent: none was named. Its number is absent where no event has the hash. */
  readonly expectedHead: { readonly hash: string; readonly sequence?: bigint } | undefined;
}

/** Checks the events of a Site's chain, one after the other. */
export interface ChainCheck {
  /** Takes the next event; returns what is wrong with it. Nothing follows a broken link. */
  next(event: AuditEvent): BrokenLink | undefined;
  /** The last number that was checked; 0: none. */
  sequence(): bigint;
  /** Its hash, as lower-case hex; for the first event the one before, and 64 zeros for none. */
  head(): string;
  /** How many events have lost their clear values with the deletion of a User. */
  erased(): number;
}

const HASH_BYTES = 32;

/**
 * Creates the check of a chain from a number on; the hash before that is taken on trust.
 *
 * It recomputes every hash by itself, compares what the server says of an event with the bytes
 * that the hash covers, and its clear values with their digests.
 */
export function createChainCheck(from: bigint): ChainCheck {
  let expected = from;
  let previous: Uint8Array | undefined = from === 1n ? new Uint8Array(HASH_BYTES) : undefined;
  let erased = 0;

  return {
    next(event) {
      const { link } = event;
      const broken = (problem: string, eventId = event.id) => ({
        sequence: expected,
        eventId,
        problem,
      });
      if (!link) return broken("is not linked");
      if (link.sequence !== expected) return broken(`is missing: ${link.sequence} follows`, "");
      if (previous && !isSame(link.previousHash, previous)) {
        return broken("does not follow from the event before");
      }
      if (!isSame(link.hash, hashOf(link.previousHash, link.record))) {
        return broken("has another hash than its content");
      }
      const problem = findDifference(event, link.record);
      if (problem) return broken(problem);
      if (isErased(event, link.record)) erased += 1;
      previous = link.hash;
      expected += 1n;
      return undefined;
    },
    sequence: () => expected - 1n,
    head: () => Buffer.from(previous ?? new Uint8Array(HASH_BYTES)).toString("hex"),
    erased: () => erased,
  };
}

function hashOf(previousHash: Uint8Array, record: Uint8Array): Uint8Array {
  return createHash("sha256").update(previousHash).update(record).digest();
}

/** Compares what is said of an event with what the chain covers. */
function findDifference(event: AuditEvent, record: Uint8Array): string | undefined {
  const covered = readRecord(record);
  if (!covered) return "has a record that cannot be read";
  if (!equals(AuditEventSchema, withoutPersonal(event), withoutPersonal(covered))) {
    return "says something else than the chain covers";
  }
  // Once the User is deleted the values are gone, and the digests stay.
  if (Object.keys(event.personal).length === 0) return undefined;
  return isSameText(digestsOf(event), covered.personal)
    ? undefined
    : "has other clear values than the chain covers";
}

function isErased(event: AuditEvent, record: Uint8Array): boolean {
  const hadValues = Object.keys(readRecord(record)?.personal ?? {}).length > 0;
  return hadValues && Object.keys(event.personal).length === 0;
}

function readRecord(record: Uint8Array): AuditEvent | undefined {
  try {
    return fromBinary(AuditEventSchema, record);
  } catch {
    return undefined; // No message: whoever altered it has not kept to the format.
  }
}

function withoutPersonal(event: AuditEvent): AuditEvent {
  const { link, ...bare } = clone(AuditEventSchema, event);
  return { ...bare, personal: {} };
}

function digestsOf({ personal, link }: AuditEvent): Record<string, string> {
  const salt = link?.salt ?? new Uint8Array();
  const digest = (value: string) =>
    createHash("sha256").update(salt).update(value, "utf8").digest("hex");
  return Object.fromEntries(Object.entries(personal).map(([name, value]) => [name, digest(value)]));
}

function isSameText(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  );
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
