import { expect, test } from "vitest";
import { UsageError } from "../../../src/cli/context.ts";
import { parseUserName } from "../../../src/cli/user-name.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";

test.each([
  [ID, "id", ID],
  [ID.toUpperCase(), "id", ID.toUpperCase()],
  ["ada@example.com", "email", "ada@example.com"],
  ["ada.l-2_x", "username", "ada.l-2_x"],
  ["4711", "username", "4711"],
  [`username:${ID}`, "username", ID],
  ["email:ada@example.com", "email", "ada@example.com"],
  ["external-id:4711", "externalId", "4711"],
  ["external-id:a:b@c", "externalId", "a:b@c"],
  [`external-id:${ID}`, "externalId", ID],
  ['"a:b"@example.com', "email", '"a:b"@example.com'],
])("%s names a User by its %s", (text, way, value) => {
  expect(parseUserName(text)).toEqual({ case: way, value });
});

test.each(["", "external-id:", "phone:123", "external_id:4711", ":x"])(
  "%j names nobody",
  (text) => {
    expect(() => parseUserName(text)).toThrow(UsageError);
  },
);
