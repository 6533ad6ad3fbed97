import type { Dice } from "./hostile-dice.ts";

/** What hostile requests know of the Site that they are sent to, by the name of a field. */
export type KnownNames = Readonly<Record<string, string>>;

/** Texts that have broken programs before, each for a reason of its own. */
const TEXTS: readonly string[] = [
  "",
  " ",
  "\0",
  "a\0b",
  "\r\nx-injected: 1",
  "\u202egnp.exe",
  "\ufeff",
  "\uffff",
  "\ud800",
  "\udc00\ud800",
  "\u{10ffff}",
  "e\u0301".repeat(500),
  "👩‍👩‍👧‍👦".repeat(200),
  "ﷺ".repeat(300),
  "İıſK",
  "null",
  "undefined",
  "NaN",
  "true",
  "-1",
  "1e999",
  "__proto__",
  "constructor",
  "toString",
  "' or '1'='1",
  "'; drop table users; --",
  "\\'; select pg_sleep(10); --",
  "$1",
  "%s%n%x",
  "%00",
  "../../../../etc/passwd",
  "{{7*7}}",
  `$${"{jndi:ldap://127.0.0.1/a}"}`,
  "<script>alert(1)</script>",
  `${"(a+)+".repeat(20)}$`,
  "9".repeat(400),
  "a".repeat(257),
  "a".repeat(4_097),
  "a".repeat(60_000),
  "é".repeat(30_000),
];

/** Addresses that are taken for another, or for none. */
const ADDRESSES: readonly string[] = [
  "аda@example.com",
  "ada@exаmple.com",
  "ADA@EXAMPLE.COM",
  "ada@example.com.",
  " ada@example.com",
  "ada@example.com\n",
  "ada@example.com\0.evil.example",
  "ａｄａ@example.com",
  "ada@example。com",
  "ada@ｅxample.com",
  "ada+tag@example.com",
  "a\u200dda@example.com",
  "ada@[127.0.0.1]",
  "ada@127.0.0.1",
  '"ada b"@example.com',
  '"ada\\"@evil"@example.com',
  "ada@example.com@evil.example",
  "ada%40evil.example@example.com",
  "ada@xn--exmple-4uf.com",
  "ada@xn--",
  "ada@-.com",
  "@",
  "ada@",
  "@example.com",
  `${"a".repeat(65)}@example.com`,
  `ada@${"a.".repeat(130)}com`,
  "Ada <ada@example.com>",
  "ada@example.com,eve@example.com",
];

/** Ids, tokens and links that are nearly right. */
const NAMES: readonly string[] = [
  "00000000-0000-0000-0000-000000000000",
  "ffffffff-ffff-ffff-ffff-ffffffffffff",
  "0198F1A0-0000-7000-8000-000000000000",
  "{0198f1a0-0000-7000-8000-000000000000}",
  "0198f1a0000070008000000000000000",
  "0198f1a0-0000-7000-8000-00000000000",
  "urn:uuid:0198f1a0-0000-7000-8000-000000000000",
  "sgn_rt_",
  "sgn_op_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  "sgn_ot_!!!!",
  "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
  `eyJhbGciOiJFUzI1NiJ9.${"A".repeat(5_000)}.AA`,
  "a.b.c",
  "...",
  "https://hooks.invalid/a",
  "https://127.0.0.1:1/",
  "https://[::1]/",
  "http://169.254.169.254/latest/meta-data",
  "https://user:password@example.com/",
  "https://example.com:99999/",
  "https://[",
  "javascript:alert(1)",
  "file:///etc/passwd",
  "$argon2id$v=19$m=4194304,t=9999,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
  "$2b$31$abcdefghijklmnopqrstuuxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
  "$scrypt$ln=40,r=4096,p=4096$AAAA$AAAA",
  "-1.5s",
  "en-\u0000",
  "xx-".repeat(50),
];

/** Chooses a text for a field, now and then one that is right. */
export function hostileText(dice: Dice, name: string, known: KnownNames): string {
  const right = Object.hasOwn(known, name) ? known[name] : undefined;
  if (right !== undefined && dice.chance(0.4)) return dice.chance(0.7) ? right : bent(dice, right);
  const list = dice.pick([TEXTS, TEXTS, ADDRESSES, NAMES, Object.values(known)]);
  const text = dice.pick(list);
  return dice.chance(0.2) ? bent(dice, text) : text;
}

/** Whole numbers at the ends of their types. */
export function hostileInteger(dice: Dice, min: bigint, max: bigint): bigint {
  const near = [min, min + 1n, -1n, 0n, 1n, 2n, 1_000n, 65_536n, max - 1n, max];
  const value = dice.pick(near);
  return value < min || value > max ? 0n : value;
}

/** Numbers that are none, or no bounds. */
export function hostileNumber(dice: Dice): number {
  const numbers = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    1e308,
    5e-324,
  ];
  return dice.pick(numbers);
}

/** Changes a text in one place. */
function bent(dice: Dice, text: string): string {
  const at = dice.below(text.length + 1);
  const before = text.slice(0, at);
  const after = text.slice(at);
  switch (dice.below(5)) {
    case 0:
      return before;
    case 1:
      return `${before}${String.fromCodePoint(dice.below(0xd800))}${after}`;
    case 2:
      return `${before}${after.slice(1)}`;
    case 3:
      return text.toUpperCase();
    default:
      return `${text}${text}`.slice(0, 60_000);
  }
}
