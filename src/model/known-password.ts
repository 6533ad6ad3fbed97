/** Passwords of examples, images and habits; whoever looks for a way in tries them first. */
const KNOWN = new Set(
  `admin administrator change-me change_me changeit changeme default demo dev development example
   guest letmein local pass passw0rd passwd password password1 postgres postgresql pwd root secret
   signet signet_app signet_migrator signet_owner smtp sysadmin test testing todo user welcome xxx
   0000 1111 1234 12345 123456 12345678 123456789 1234567890 qwerty`.split(/\s+/),
);

/**
 * Tells whether the password in a URL is one that everybody knows, or the name of its user. Without
 * a password there is nothing to know: the server may ask for a certificate, or for nothing.
 */
export function hasKnownPassword(text: string): boolean {
  const { username, password } = new URL(text);
  const written = decoded(password).toLowerCase();
  return written !== "" && (KNOWN.has(written) || written === decoded(username).toLowerCase());
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
