import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";

/** What makes a token of its header and its claims. */
type Signer = (signed: string) => Buffer;

const FOREIGN = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** Copies a good token with something else in its header, signed with a key of nobody's. */
export function forgeHeader(good: string, header: object): string {
  return forge(good, header, byForeignKey);
}

/**
 * Makes tokens from a good one as somebody does who has everything but Signet's private key: each
 * by the name of the trick. `jwk` is the public key that the good one is checked by.
 */
export function forgedTokens(good: string, jwk: object): Readonly<Record<string, string>> {
  const publicKey = createPublicKey({ key: { ...jwk }, format: "jwk" });
  const [head = "", claims = "", signature = ""] = good.split(".");
  const secrets = {
    "an empty secret": "",
    "a word": "secret",
    "the public key as JSON": JSON.stringify(jwk),
    "the public key as PEM": publicKey.export({ type: "spki", format: "pem" }),
    "the public key as DER": publicKey.export({ type: "spki", format: "der" }),
  };
  const byWord = Object.entries(secrets).flatMap(([name, secret]) =>
    ["sha256", "sha384", "sha512"].map((hash) => {
      const header = { alg: hash.replace("sha", "HS") };
      return [`${header.alg} by ${name}`, forge(good, header, byHmac(hash, secret))] as const;
    }),
  );
  const unsigned = ["none", "None", "NONE", ""].map(
    (alg) => [`unsigned, as "${alg}"`, forge(good, { alg }, () => Buffer.alloc(0))] as const,
  );
  const somebodyElse = encode({ ...decode(claims), sub: randomUUID(), roles: ["admin"] });
  return {
    ...Object.fromEntries([...byWord, ...unsigned]),
    "without its signature": `${head}.${claims}.`,
    "with a signature of zeros": forge(good, {}, () => Buffer.alloc(64)),
    "with other claims": `${head}.${somebodyElse}.${signature}`,
    "said to be RSA": `${encode({ ...decode(head), alg: "RS256" })}.${claims}.${signature}`,
    "of another type": `${encode({ ...decode(head), typ: "JWT" })}.${claims}.${signature}`,
    "by a key of nobody's": forgeHeader(good, {}),
    "by a key that it brings along": forgeHeader(good, {
      jwk: FOREIGN.publicKey.export({ format: "jwk" }),
    }),
    "by a key that is a file": forge(
      good,
      { alg: "HS256", kid: "../../../../../dev/null" },
      byHmac("sha256", ""),
    ),
  };
}

function forge(good: string, header: object, signer: Signer): string {
  const [head = "", claims = ""] = good.split(".");
  const signed = `${encode({ ...decode(head), ...header })}.${claims}`;
  return `${signed}.${signer(signed).toString("base64url")}`;
}

const byForeignKey: Signer = (signed) =>
  sign("sha256", Buffer.from(signed), { key: FOREIGN.privateKey, dsaEncoding: "ieee-p1363" });

function byHmac(hash: string, secret: string | Buffer): Signer {
  return (signed) => createHmac(hash, secret).update(signed).digest();
}

function decode(part: string): object {
  return JSON.parse(Buffer.from(part, "base64url").toString());
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
