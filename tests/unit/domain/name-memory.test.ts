import { expect, test } from "vitest";
import { createNameMemory } from "../../../src/domain/name-memory.ts";

test("a name memory knows what it was told, and nothing else, as it grows", () => {
  const memory = createNameMemory();
  const names = Array.from({ length: 50_000 }, (_, n) => `email:user${n}@example.com`);

  for (const name of names) memory.add(name);

  expect(names.filter((name) => !memory.has(name))).toEqual([]);
  expect(names.filter((name) => memory.has(`${name}.org`))).toEqual([]);
});

test("a name memory that is full forgets nothing and takes nothing more", () => {
  const memory = createNameMemory(1_024);
  const names = Array.from({ length: 2_000 }, (_, n) => `id:${n}`);

  for (const name of names) memory.add(name);

  expect(names.filter((name) => memory.has(name))).toEqual(names.slice(0, 768));
});
