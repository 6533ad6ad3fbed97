/**
 * Says why bytes that should be random are not, or `undefined` if nothing speaks against them.
 *
 * Catches what people type or copy instead of generating: a pass-phrase, zeros, a counted or
 * repeated pattern. A random key of 32 bytes is refused less than once in 10^12.
 */
export function keyWeakness(key: Uint8Array): string | undefined {
  if (key.every((byte) => byte === key[0])) return "repeats one byte";
  if (isRepeatedPattern(key)) return "repeats a pattern";
  if (isProgression(key)) return "counts up or down";
  if (key.every((byte) => byte >= 0x20 && byte < 0x7f)) return "is text, not random bytes";
  // 32 random bytes have 30 different values on average, and fewer than 18 once in 10^12.
  if (new Set(key).size < (key.length * 18) / 32) return "has too few different bytes";
  return undefined;
}

function isRepeatedPattern(key: Uint8Array): boolean {
  const periods = Array.from({ length: Math.floor(key.length / 2) }, (_, index) => index + 1);
  return periods.some((period) => key.every((byte, index) => byte === key[index % period]));
}

function isProgression(key: Uint8Array): boolean {
  const steps = Array.from(key.subarray(1), (byte, index) => (byte - (key[index] ?? 0)) & 0xff);
  return steps.every((step) => step === steps[0]);
}
