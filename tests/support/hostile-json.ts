import type { Dice } from "./hostile-dice.ts";

/** Damages a message in JSON; half of all are left whole. */
export function damagedJson(dice: Dice, whole: string): Uint8Array {
  if (dice.chance(0.5)) return Buffer.from(whole);
  const damaged = dice.pick(DAMAGES)(dice, whole);
  return typeof damaged === "string" ? Buffer.from(damaged) : damaged;
}

type Damage = (dice: Dice, json: string) => string | Uint8Array;

const DAMAGES: readonly Damage[] = [
  (dice, json) => json.slice(0, dice.below(json.length + 1)),
  withByteChanged,
  withValueReplaced,
  withValueReplaced,
  withValueReplaced,
  withMembersRepeated,
  withDeepNesting,
  withUnknownMember,
  withLoneSurrogate,
  (_, json) => `\ufeff${json}`,
  (_, json) => `${json}${json}`,
  (_, json) => `${json}\u0000`,
  (_, json) => Buffer.from(json, "utf16le"),
  (dice) => dice.pick(["", "null", "[]", "0", '"x"', "NaN", "{", "}", "[{}]", "true", "{}//x"]),
  () => `{"a":${"9".repeat(50_000)}}`,
  () => `{"x":"${"a".repeat(70_000)}"}`,
  () => `{${'"a":1,'.repeat(9_000)}"b":1}`,
  (dice) => dice.bytes(dice.below(200)),
];

/** What stands where something of another type is expected. */
const VALUES: readonly string[] = [
  "null",
  "true",
  "{}",
  "[]",
  "[null]",
  "[[]]",
  "-1",
  "1.5",
  "1e400",
  "-0",
  "99999999999999999999",
  '"9223372036854775808"',
  '"NaN"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '{"__proto__":{"x":1}}',
  '{"@type":"type.googleapis.com/google.protobuf.Any"}',
  '"0001-01-01T00:00:00Z"',
  '"9999-12-31T23:59:60Z"',
  '"2026-02-30T00:00:00Z"',
  '"-315576000001s"',
];

function withByteChanged(dice: Dice, json: string): Uint8Array {
  const bytes = Buffer.from(json);
  if (bytes.length > 0) bytes.writeUInt8(dice.below(256), dice.below(bytes.length));
  return bytes;
}

function withValueReplaced(dice: Dice, json: string): string {
  const values = [...json.matchAll(/:("(?:[^"\\]|\\.)*"|[\w.+-]+|\{\}|\[\])/g)];
  if (values.length === 0) return `{"siteId":${dice.pick(VALUES)}}`;
  const { index, 0: text } = dice.pick(values);
  return `${json.slice(0, index)}:${dice.pick(VALUES)}${json.slice(index + text.length)}`;
}

function withMembersRepeated(dice: Dice, json: string): string {
  const members = json.slice(1, -1);
  const times = Math.min(dice.pick([2, 100, 3_000]), Math.floor(60_000 / (members.length + 1)));
  return members === "" ? json : `{${Array(Math.max(times, 2)).fill(members).join(",")}}`;
}

function withDeepNesting(dice: Dice, json: string): string {
  const depth = dice.pick([50, 101, 5_000, 12_000]);
  const [open, shut] = dice.pick([
    ["[", "]"],
    ['{"a":', "}"],
    ['{"filter":', "}"],
    ['{"attributes":', "}"],
  ] as const);
  const times = Math.min(depth, Math.floor(60_000 / (open.length + shut.length)));
  const inner = dice.chance(0.5) ? json : "1";
  const ends = dice.chance(0.8) ? shut.repeat(times) : "";
  return `${open.repeat(times)}${inner.slice(0, 1_000)}${ends}`;
}

function withUnknownMember(dice: Dice, json: string): string {
  const name = dice.pick([
    "__proto__",
    "constructor",
    "",
    "\\u0000",
    "x".repeat(9_000),
    "toString",
  ]);
  const rest = json.slice(1) === "}" ? "}" : `,${json.slice(1)}`;
  return `{"${name}":${dice.pick(VALUES)}${rest}`;
}

function withLoneSurrogate(dice: Dice, json: string): string {
  const half = dice.pick(["\\ud800", "\\udbff", "\\udc00", "\\ud83d\\ud83d"]);
  return json.replace(/:"/g, `:"${half}`);
}
