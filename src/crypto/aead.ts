import { type Cipheriv, createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const NONCE_BYTES = 24;
const TAG_BYTES = 16;
const HALF_NONCE_BYTES = 12;

/** How many bytes longer a box is than what is in it. */
export const AEAD_OVERHEAD_BYTES: number = NONCE_BYTES + TAG_BYTES;

/**
 * Encrypts and authenticates bytes with XAES-256-GCM (C2SP): nonce, ciphertext, tag.
 *
 * AES-256-GCM alone must not use a key for more than 2^32 random nonces, which a Site with
 * 1,000 changes a second would pass in 50 days. XAES-256-GCM derives an AES-256-GCM key for
 * each message from half of a 24-byte nonce, so that a key lasts for 2^80 messages.
 *
 * `associatedData` is authenticated but not stored: opening needs the same again. `nonce` is
 * random unless a published test vector gives it.
 */
export function encrypt(
  key: Uint8Array,
  associatedData: Uint8Array,
  plaintext: Uint8Array,
  nonce: Uint8Array = newNonce(),
): Buffer {
  const cipher = createCipheriv("aes-256-gcm", messageKey(key, nonce), nonce.subarray(12), {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(associatedData);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
}

/** Returns what {@link encrypt} put into the box; undefined if any bit of it has changed. */
export function decrypt(
  key: Uint8Array,
  associatedData: Uint8Array,
  box: Uint8Array,
): Buffer | undefined {
  if (box.length < AEAD_OVERHEAD_BYTES) return undefined;
  const nonce = box.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", messageKey(key, nonce), nonce.subarray(12), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associatedData);
  decipher.setAuthTag(box.subarray(-TAG_BYTES));
  const plaintext = decipher.update(box.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return undefined; // The tag does not match.
  }
  return plaintext;
}

/**
 * A nonce is no secret, and to ask the system for random bytes costs as much for one as for
 * hundreds: more than all the rest of a short message.
 */
const NONCES_AT_ONCE = 256;
let nonces = Buffer.alloc(0);

function newNonce(): Buffer {
  if (nonces.length === 0) nonces = randomBytes(NONCE_BYTES * NONCES_AT_ONCE);
  const nonce = nonces.subarray(0, NONCE_BYTES);
  nonces = nonces.subarray(NONCE_BYTES);
  return nonce;
}

/** What is the same for all messages under a key. */
interface Derivation {
  /** Encrypts block by block, each by itself. */
  readonly aes: Cipheriv;
  /** The counter blocks before the nonce is in them, exclusive or the first subkey of CMAC. */
  readonly blocks: Buffer;
}

/** Derives the key of one message: CMAC of two counter blocks (NIST SP 800-108r1 §4.1). */
function messageKey(key: Uint8Array, nonce: Uint8Array): Buffer {
  const { aes, blocks: prepared } = derivationOf(key);
  const blocks = Buffer.from(prepared);
  for (let n = 0; n < HALF_NONCE_BYTES; n += 1) {
    const byte = nonce[n] ?? 0;
    for (const at of [4 + n, 20 + n]) blocks[at] = (blocks[at] ?? 0) ^ byte;
  }
  return aes.update(blocks);
}

const derivations = new WeakMap<Uint8Array, Derivation>();

function derivationOf(key: Uint8Array): Derivation {
  const known = derivations.get(key);
  if (known) return known;
  const aes = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
  const subkey = doubled(aes.update(Buffer.alloc(16)));
  const blocks = Buffer.concat([subkey, subkey]);
  for (const [start, counter] of [
    [0, 1],
    [16, 2],
  ] as const) {
    // 16-bit counter, "X", 0.
    for (const [n, byte] of [0, counter, 0x58, 0].entries()) {
      blocks[start + n] = (blocks[start + n] ?? 0) ^ byte;
    }
  }
  const derivation = { aes, blocks };
  derivations.set(key, derivation);
  return derivation;
}

/** Doubles a block in GF(2^128), as CMAC derives its first subkey (RFC 4493 §2.3). */
function doubled(block: Buffer): Buffer {
  const result = Buffer.alloc(block.length);
  const carryOut = (block[0] ?? 0) >> 7;
  for (const [n, byte] of block.entries()) {
    const carryIn = n + 1 < block.length ? (block[n + 1] ?? 0) >> 7 : 0;
    result[n] = ((byte << 1) & 0xff) | carryIn;
  }
  const last = block.length - 1;
  result[last] = (result[last] ?? 0) ^ (carryOut * 0x87);
  return result;
}
