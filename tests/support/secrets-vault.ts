/** Every secret that a test has planted or been given, and how each is looked for. */
export interface SecretsVault {
  /** Notes a secret, and returns it. */
  plant(name: string, value: string | Uint8Array): string;
  readonly names: readonly string[];
  /** Names the secrets that stand in a text or in bytes, in any of their spellings. */
  foundIn(place: string | Buffer): string[];
}

interface Needle {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A token may begin with what is no secret, such as the id of its Site. */
const CORE_LENGTH = 20;
const BYTES_MIN = 8;

/** Creates an empty vault. */
export function createSecretsVault(): SecretsVault {
  const names: string[] = [];
  const needles: Needle[] = [];
  return {
    names,
    plant(name, value) {
      const bytes = Buffer.from(value);
      if (bytes.length < BYTES_MIN) throw new RangeError(`${name} is too short to be looked for`);
      if (names.includes(name)) throw new Error(`${name} is planted twice`);
      names.push(name);
      needles.push(...spellingsOf(bytes).map((spelling) => ({ name, bytes: spelling })));
      return bytes.toString();
    },
    foundIn(place) {
      const bytes = Buffer.from(place);
      const found = needles.filter((needle) => bytes.includes(needle.bytes));
      return [...new Set(found.map(({ name }) => name))];
    },
  };
}

/** The end of a secret as it is, and the whole and its end as others might write them. */
export function spellingsOf(whole: Buffer): Buffer[] {
  const core = whole.subarray(-CORE_LENGTH);
  const texts = [whole, core].flatMap((bytes) => {
    const text = bytes.toString();
    const json = JSON.stringify(text).slice(1, -1);
    const hex = bytes.toString("hex");
    return [json, encodeURIComponent(text), hex, hex.toUpperCase(), ...base64Of(bytes)];
  });
  const spellings = new Set(texts);
  return [core, ...[...spellings].map((text) => Buffer.from(text))];
}

/** In base64 a text looks different at each of three distances from the beginning. */
function base64Of(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((distance) => {
    const padded = Buffer.concat([Buffer.alloc(distance), bytes]);
    // What hangs together with its neighbours on either side is left out.
    const end = Math.floor((padded.length * 4) / 3 / 4) * 4;
    const inner = padded.toString("base64").slice(distance === 0 ? 0 : 4, end);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
