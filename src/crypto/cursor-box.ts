import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { AEAD_OVERHEAD_BYTES, decrypt, encrypt } from "./aead.ts";
import { decodeBase64Url } from "./base64url.ts";
import { currentSubkey, type Subkeys } from "./subkeys.ts";

/** Makes the opaque places to resume from: stream cursors and page tokens. */
export interface CursorBox {
  /** Encrypts a payload; the text is base64url and says nothing of what is in it but its length. */
  sealCursor(siteId: SiteId, purpose: string, payload: Uint8Array): string;
  /** Returns the payload; undefined if the text was not sealed for this Site and purpose. */
  openCursor(siteId: SiteId, purpose: string, text: string): Buffer | undefined;
}

const VERSION_BYTES = 4;

/** Creates the box; cursors outlive a change of the master key while the old one is given. */
export function createCursorBox(subkeys: Subkeys): CursorBox {
  return {
    sealCursor(siteId, purpose, payload) {
      const { version, key } = currentSubkey(subkeys, subkeyPurpose(purpose), siteId);
      const header = Buffer.alloc(VERSION_BYTES);
      header.writeUInt32BE(version);
      const cursor = Buffer.concat([header, encrypt(key, header, payload)]).toString("base64url");
      if (cursor.length > LIMITS.tokenLengthMax) throw new Error(`${purpose}: cursor too long`);
      return cursor;
    },

    openCursor(siteId, purpose, text) {
      if (text.length > LIMITS.tokenLengthMax) return undefined;
      const bytes = decodeBase64Url(text);
      if (!bytes || bytes.length < VERSION_BYTES + AEAD_OVERHEAD_BYTES) return undefined;
      const key = subkeys.derive(bytes.readUInt32BE(), subkeyPurpose(purpose), siteId);
      if (!key) return undefined;
      return decrypt(key, bytes.subarray(0, VERSION_BYTES), bytes.subarray(VERSION_BYTES));
    },
  };
}

function subkeyPurpose(purpose: string): string {
  return `cursor:${purpose}`;
}
