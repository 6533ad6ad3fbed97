import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { EDGE_LIMITS } from "../../../src/server/edge-limits.ts";
import { readForm } from "../../../src/server/form-body.ts";

const FORM = "application/x-www-form-urlencoded";

describe("readForm", () => {
  test.each([
    FORM,
    `${FORM};charset=utf-8`,
    `${FORM} ; charset="UTF-8" `,
    "Application/X-WWW-Form-Urlencoded;  charset=utf-8",
  ])("takes a form of type %j", async (type) => {
    const form = await readForm(requestOf(type, "token=one&password=two"), EDGE_LIMITS);

    expect(Object.fromEntries(form as URLSearchParams)).toEqual({ token: "one", password: "two" });
  });

  test.each(["text/plain", "", `${FORM}; charset=latin1`, `${FORM}x`, `${FORM}; charset=utf-8 x`])(
    "refuses the type %j",
    async (type) => {
      expect(await readForm(requestOf(type, "token=one"), EDGE_LIMITS)).toMatchObject({
        status: 415,
      });
    },
  );

  // With a pattern that tries each space as an end of each run before it, these take minutes.
  test.each([
    ["before the end", `${FORM}${" ".repeat(200_000)}x`],
    ["behind a character set", `${FORM}; charset=utf-8${" ".repeat(200_000)}x`],
    ["before a character set", `${FORM};${" ".repeat(200_000)}x`],
  ])("does not spend long on a type that is full of spaces: %s", async (_where, type) => {
    expect(await readForm(requestOf(type, "token=one"), EDGE_LIMITS)).toMatchObject({
      status: 415,
    });
  });
});

function requestOf(type: string, body: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.headers = { "content-type": type };
  request.push(body);
  request.push(null);
  request.complete = true;
  return request;
}
