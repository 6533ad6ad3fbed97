import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";

describe("the variables of forward-auth", () => {
  test("are all off by default", () => {
    expect(parseConfig({}).forwardAuth).toEqual({
      cookieName: undefined,
      loginUrl: undefined,
      identitySeconds: 0,
    });
  });

  test("are read as they are meant", () => {
    const { forwardAuth } = parseConfig({
      SIGNET_FORWARD_AUTH_COOKIE: "__Host-token",
      SIGNET_FORWARD_AUTH_LOGIN_URL: "https://login.example.com/?theme=dark",
      SIGNET_FORWARD_AUTH_IDENTITY_SECONDS: "300",
    });

    expect(forwardAuth).toEqual({
      cookieName: "__Host-token",
      loginUrl: "https://login.example.com/?theme=dark",
      identitySeconds: 300,
    });
  });

  test.each([
    ["SIGNET_FORWARD_AUTH_COOKIE", "a=b"],
    ["SIGNET_FORWARD_AUTH_COOKIE", "a;b"],
    ["SIGNET_FORWARD_AUTH_LOGIN_URL", "/sign-in"],
    ["SIGNET_FORWARD_AUTH_LOGIN_URL", "javascript:alert(1)"],
    ["SIGNET_FORWARD_AUTH_LOGIN_URL", "https://ada:secret@login.example.com/"],
    ["SIGNET_FORWARD_AUTH_LOGIN_URL", "https://login.example.com/#here"],
    ["SIGNET_FORWARD_AUTH_IDENTITY_SECONDS", "301"],
    ["SIGNET_FORWARD_AUTH_IDENTITY_SECONDS", "-1"],
  ])("are refused when they are not right: %s=%s", (name, value) => {
    expect(() => parseConfig({ [name]: value })).toThrow(`${name} must`);
  });
});
