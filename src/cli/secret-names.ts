const ANYWHERE =
  /password|passwd|passphrase|secret|private_?key|signing_?key|recovery_?code|credential|api_?key/;
const AS_A_WORD = /(^|_)(hash(ed)?|salt|token|totp|otp|pwd|pin|seed|recovery)s?(_|$)/;
/** Whether and when there is a password is no secret. */
const HARMLESS_TYPE = /^(boolean|date|interval|time|timestamp)/;

/** Tells whether a column, by its name and type, seems made to hold a secret of a User. */
export function looksSecret(name: string, type: string): boolean {
  const words = name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toLowerCase();
  return !HARMLESS_TYPE.test(type) && (ANYWHERE.test(words) || AS_A_WORD.test(words));
}
