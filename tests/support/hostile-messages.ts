import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromJson,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import type { Dice } from "./hostile-dice.ts";
import { hostileInteger, hostileNumber, hostileText, type KnownNames } from "./hostile-values.ts";
import { REQUESTS } from "./isolation-requests.ts";

/** One field of one method's request: what an input aims at. */
export interface Target {
  readonly method: DescMethod;
  /** From the request downwards; empty for a method without fields. */
  readonly path: readonly DescField[];
}

/** A message as the generated code has it. */
type Fields = Record<string, unknown>;

const DEPTH_MAX = 4;
const COPIES_MAX = 5_000;
const BYTES_MAX = 5_000_000;
const RANGES: Readonly<Partial<Record<ScalarType, readonly [bigint, bigint]>>> = {
  [ScalarType.INT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SINT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SFIXED32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.UINT32]: [0n, 2n ** 32n - 1n],
  [ScalarType.FIXED32]: [0n, 2n ** 32n - 1n],
  [ScalarType.INT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SINT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SFIXED64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.UINT64]: [0n, 2n ** 64n - 1n],
  [ScalarType.FIXED64]: [0n, 2n ** 64n - 1n],
};
const LONG = new Set([
  ScalarType.INT64,
  ScalarType.SINT64,
  ScalarType.SFIXED64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
]);

/** Lists every field of the methods' requests, those of messages in messages too. */
export function targetsOf(methods: readonly DescMethod[]): Target[] {
  return methods.flatMap((method) => {
    const paths = pathsOf(method.input, []);
    return paths.length === 0 ? [{ method, path: [] }] : paths.map((path) => ({ method, path }));
  });
}

/** Names a target for people. */
export function targetName({ method, path }: Target): string {
  return [method.name, ...path.map(({ name }) => name)].join(".");
}

/** Builds a request that would be carried out, but for what stands in the target's field. */
export function aimedMessage(dice: Dice, { method, path }: Target, known: KnownNames): Message {
  const message = validMessage(method, known);
  let at = message as unknown as Fields;
  for (const field of path.slice(0, -1)) at = intoField(at, field);
  const last = path.at(-1);
  if (last) setField(at, last, fieldValue(dice, last, known, DEPTH_MAX));
  for (const field of method.input.fields) {
    if (dice.chance(0.05)) {
      const top = message as unknown as Fields;
      setField(top, field, fieldValue(dice, field, known, DEPTH_MAX));
    }
  }
  return message;
}

function pathsOf(message: DescMessage, before: readonly DescField[]): DescField[][] {
  return message.fields.flatMap((field) => {
    const path = [...before, field];
    const inner = field.message;
    const isKnown = before.some((one) => one.message === inner);
    const goesOn = inner && !isKnown && path.length < DEPTH_MAX;
    return goesOn ? [path, ...pathsOf(inner, path)] : [path];
  });
}

function validMessage({ name, input }: DescMethod, known: KnownNames): Message {
  const { user_id: userId = "", email = "", password = "", site_id: siteId = "" } = known;
  const { options, rows, ...json } = REQUESTS[name]?.({ userId, email, password, siteId }) ?? {};
  // Options and rows of an import come in messages of their own.
  const whole = options === undefined ? json : { options };
  return fromJson(input, (rows === undefined ? json : whole) as never, {
    ignoreUnknownFields: true,
  });
}

/** Goes down into a message, which is made where there is none. */
function intoField(at: Fields, field: DescField): Fields {
  const inner = field.message;
  if (!inner) throw new Error(`${field.name} is no message`);
  const old = getField(at, field);
  if (field.fieldKind === "message") {
    if (old !== undefined) return old as Fields;
    const made = create(inner) as unknown as Fields;
    setField(at, field, made);
    return made;
  }
  const made = create(inner) as unknown as Fields;
  setField(at, field, field.fieldKind === "map" ? { x: made } : [made]);
  return made;
}

function getField(at: Fields, field: DescField): unknown {
  if (!field.oneof) return at[field.localName];
  const group = at[field.oneof.localName] as { case?: string; value?: unknown };
  return group.case === field.localName ? group.value : undefined;
}

function setField(at: Fields, field: DescField, value: unknown): void {
  if (field.oneof) at[field.oneof.localName] = { case: field.localName, value };
  else at[field.localName] = value;
}

function fieldValue(dice: Dice, field: DescField, known: KnownNames, depth: number): unknown {
  const one = (): unknown => singleValue(dice, field, known, depth);
  switch (field.fieldKind) {
    case "list":
      return dice.chance(0.05) ? manyOf(one()) : Array.from({ length: dice.below(4) }, one);
    case "map":
      return Object.fromEntries(
        Array.from({ length: dice.below(4) }, () => [mapKey(dice, field, known), one()]),
      );
    default:
      return one();
  }
}

/** More than a list may hold, or than a message may, but no more than a client can send. */
function manyOf(value: unknown): unknown[] {
  return Array(Math.min(COPIES_MAX, Math.ceil(BYTES_MAX / (sizeOf(value) + 1)))).fill(value);
}

/** As JSON, which is what a message becomes within attributes; in binary it is hardly larger. */
function sizeOf(value: unknown): number {
  const text = JSON.stringify(value, (_, part: unknown) =>
    typeof part === "bigint" ? `${part}` : part,
  );
  return text === undefined ? 0 : text.length;
}

function mapKey(dice: Dice, field: DescField & { fieldKind: "map" }, known: KnownNames): string {
  if (field.mapKey === ScalarType.STRING) return hostileText(dice, "", known);
  return field.mapKey === ScalarType.BOOL ? "true" : `${dice.below(9)}`;
}

function singleValue(dice: Dice, field: DescField, known: KnownNames, depth: number): unknown {
  if (field.enum) return dice.pick([0, 1, 2, 3, 7, 99, -1, 2 ** 31 - 1]);
  if (field.message) return filledMessage(dice, field.message, known, depth - 1);
  return field.scalar === undefined
    ? undefined
    : scalarValue(dice, field.scalar, field.name, known);
}

function scalarValue(dice: Dice, scalar: ScalarType, name: string, known: KnownNames): unknown {
  const range = RANGES[scalar];
  if (range) {
    const value = hostileInteger(dice, ...range);
    return LONG.has(scalar) ? value : Number(value);
  }
  if (scalar === ScalarType.STRING) return hostileText(dice, name, known);
  if (scalar === ScalarType.BYTES) return dice.bytes(dice.pick([0, 1, 16, 32, 1_000]));
  return scalar === ScalarType.BOOL ? dice.chance(0.5) : hostileNumber(dice);
}

function filledMessage(dice: Dice, type: DescMessage, known: KnownNames, depth: number): Message {
  const message = create(type);
  if (depth <= 0) return message;
  for (const field of type.fields) {
    if (dice.chance(0.4)) {
      setField(message as unknown as Fields, field, fieldValue(dice, field, known, depth));
    }
  }
  return message;
}
