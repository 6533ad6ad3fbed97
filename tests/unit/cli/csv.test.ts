import { parse } from "csv-parse/sync";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { csvLine, withoutFormula } from "../../../src/cli/csv.ts";

test("a line of CSV is quoted where RFC 4180 wants it, and ends with CRLF", () => {
  expect(csvLine(["plain", 'says "hi"', "a,b", "two\nlines", " space", ""])).toBe(
    'plain,"says ""hi""","a,b","two\nlines"," space",\r\n',
  );
});

test("whatever stands in the values, a reader of CSV finds it again", () => {
  const lines = fc.array(fc.tuple(fc.string({ unit: "binary" }), hostile(), fc.constant("end")), {
    minLength: 1,
    maxLength: 8,
  });

  fc.assert(
    fc.property(lines, (given) => {
      const text = given.map(csvLine).join("");

      expect(parse(text, { recordDelimiter: "\r\n" })).toEqual(given);
    }),
    { numRuns: 30 },
  );
});

test.each(["=1+1", "+1", "-1", "@a", "\t=1", "\r=1"])("%j is no formula any more", (value) => {
  expect(withoutFormula(value)).toBe(`'${value}`);
});

test.each(["", "a=1", "'=1", "ada@example.com"])("%j stays as it is", (value) => {
  expect(withoutFormula(value)).toBe(value);
});

function hostile() {
  return fc
    .array(fc.constantFrom('"', ",", "\r", "\n", " ", "=", "a"))
    .map((some) => some.join(""));
}
