import type { SiteId } from "../model/id.ts";
import { decrypt, encrypt } from "./aead.ts";
import { associatedData, type ContextPart } from "./associated-data.ts";
import { currentSubkey, type Subkeys } from "./subkeys.ts";

/** What sealed bytes are bound to: they open nowhere else. */
export interface SealScope {
  /** What the bytes are, such as `signing_key`. */
  readonly purpose: string;
  /** The Site that they belong to; undefined for those of the whole installation. */
  readonly siteId: SiteId | undefined;
  /** The row that they stand in, such as its id, so that no row can be put in place of another. */
  readonly context: readonly ContextPart[];
}

/** Encryption at rest. */
export interface Envelope {
  /** Encrypts bytes under the current master key; the version stands in front. */
  seal(scope: SealScope, plaintext: Uint8Array): Buffer;
  /**
   * Returns what was sealed, under any master key that is still given.
   *
   * @throws {Error} if the bytes were altered, belong elsewhere or their master key is missing:
   *   no caller can cause this, so it is an outage or an attack on the database.
   */
  open(scope: SealScope, sealed: Uint8Array): Buffer;
}

const FORMAT = 1;
const HEADER_BYTES = 5;

/** Creates the encryption at rest: XAES-256-GCM under a sub-key for each purpose and Site. */
export function createEnvelope(subkeys: Subkeys): Envelope {
  return {
    seal(scope, plaintext) {
      const { version, key } = currentSubkey(subkeys, subkeyPurpose(scope), scope.siteId);
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt8(FORMAT);
      header.writeUInt32BE(version, 1);
      const bound = associatedData([header, ...scope.context]);
      return Buffer.concat([header, encrypt(key, bound, plaintext)]);
    },

    open(scope, sealed) {
      const header = Buffer.from(sealed.subarray(0, HEADER_BYTES));
      if (header.length < HEADER_BYTES || header.readUInt8() !== FORMAT) throw broken(scope);
      const version = header.readUInt32BE(1);
      const key = subkeys.derive(version, subkeyPurpose(scope), scope.siteId);
      if (!key) throw new Error(`${scope.purpose}: master key ${version} is not configured`);
      const bound = associatedData([header, ...scope.context]);
      const plaintext = decrypt(key, bound, sealed.subarray(HEADER_BYTES));
      if (!plaintext) throw broken(scope);
      return plaintext;
    },
  };
}

/** Returns the version of the master key that sealed the bytes, to find what to seal anew. */
export function sealedKeyVersion(sealed: Uint8Array): number {
  return Buffer.from(sealed).readUInt32BE(1);
}

function subkeyPurpose(scope: SealScope): string {
  return `envelope:${scope.purpose}`;
}

function broken(scope: SealScope): Error {
  return new Error(`${scope.purpose}: sealed bytes do not open`);
}
