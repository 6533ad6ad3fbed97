import { describe, expect, test } from "vitest";
import { splitJsonArray } from "../../../src/cli/json-array.ts";

async function split(text: string, chunk: number, lengthMax = 1_000) {
  async function* chunks() {
    for (let n = 0; n < text.length; n += chunk) yield text.slice(n, n + chunk);
  }
  const found = [];
  for await (const element of splitJsonArray(chunks(), "users", lengthMax)) found.push(element);
  return found;
}

const USERS = [
  { name: 'Ada "]}" \\', tags: [["x"], []], users: [{ not: "this" }] },
  { name: "Eve", users: {} },
];

describe.each([1, 3, 10_000])("in pieces of %d characters", (chunk) => {
  test.each([
    ["a list", JSON.stringify(USERS)],
    ["a list by its name", JSON.stringify({ a: { users: [{ no: 1 }] }, users: USERS, z: [{}] })],
    ["a list over many lines", JSON.stringify({ z: "users", users: USERS }, undefined, 2)],
  ])("finds the elements of %s", async (_name, text) => {
    const found = await split(text, chunk);

    expect(found.map((element) => JSON.parse(element.text ?? ""))).toEqual(USERS);
  });

  test("tells the line of each, and gives up one that is too long", async () => {
    const text = `{"users": [\n{"a": 1},\n{"b": "${"x".repeat(100)}"}\n, {"c":\n3}]}`;

    expect(await split(text, chunk, 50)).toEqual([
      { line: 2, text: '{"a": 1}' },
      { line: 3, text: undefined },
      { line: 4, text: '{"c":\n3}' },
    ]);
  });
});
