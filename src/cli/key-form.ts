/** Of 32 bytes and of 48, in base64url; src/crypto/site-secret.ts makes them. */
const KEY_FORM = /^(sgn_op_[\w-]{43}|sgn_site_[\w-]{64})$/;

/** Tells whether a text has the form of a key; not, whether it is good. */
export function hasKeyForm(text: string): boolean {
  return KEY_FORM.test(text);
}
