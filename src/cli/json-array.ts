/** An element of a list, as text, with the line that it begins in. */
export interface JsonElement {
  readonly line: number;
  /** Absent: it is longer than it may be. */
  readonly text: string | undefined;
}

/**
 * Splits a JSON text of any size into the elements of one list, without keeping more than one of
 * them: the text is the list itself, or an object that has it by `name`.
 *
 * Only objects and lists count as elements. What is malformed shows when an element is parsed.
 */
export async function* splitJsonArray(
  chunks: AsyncIterable<string>,
  name: string,
  lengthMax: number,
): AsyncGenerator<JsonElement> {
  const scan = createScan(name, lengthMax);
  for await (const chunk of chunks) {
    for (const character of chunk) {
      const element = scan(character);
      if (element) yield element;
    }
  }
}

/** Looks at one character after the other, and returns an element with its last one. */
function createScan(name: string, lengthMax: number) {
  let [line, depth, isString, isEscaped] = [1, 0, false, false];
  /** The depth within the list that is wanted; 0: not in it. */
  let listDepth = 0;
  let [text, last, isTooLong] = ["", "", false];
  let [key, begin] = ["", 0];

  const keep = (character: string): void => {
    if (text.length < lengthMax) text += character;
    else isTooLong = true;
  };

  function open(character: string): void {
    depth += 1;
    const isWanted = depth === 1 || (depth === 2 && key === name);
    if (listDepth === 0 && character === "[" && isWanted) listDepth = depth;
    else if (listDepth > 0 && depth === listDepth + 1) [text, isTooLong, begin] = ["", false, line];
  }

  function close(): JsonElement | undefined {
    depth -= 1;
    if (listDepth === 0) return undefined;
    if (depth < listDepth) listDepth = 0;
    if (listDepth === 0 || depth !== listDepth) return undefined;
    return { line: begin, text: isTooLong ? undefined : text };
  }

  function inString(character: string): void {
    if (isEscaped) isEscaped = false;
    else if (character === "\\") isEscaped = true;
    else if (character === '"') [isString, key] = [false, depth === 1 ? last : key];
    if (isString && depth === 1) last += character;
  }

  return (character: string): JsonElement | undefined => {
    if (character === "\n") line += 1;
    if (isString) {
      inString(character);
      if (listDepth > 0 && depth > listDepth) keep(character);
      return undefined;
    }
    if (character === '"') [isString, last] = [true, ""];
    if (character === "{" || character === "[") open(character);
    if (listDepth > 0 && depth > listDepth) keep(character);
    return character === "}" || character === "]" ? close() : undefined;
  };
}
