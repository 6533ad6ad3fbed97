import { describe, expect, test } from "vitest";
import { Failure } from "../../../src/model/failure.ts";
import { parseDomain, parseHttpUrl, parseOrigin } from "../../../src/model/url.ts";

describe("parseHttpUrl", () => {
  test.each([
    ["https://app.example.com", "https://app.example.com/"],
    ["HTTPS://App.Example.com:443/a/../b?q=1", "https://app.example.com/b?q=1"],
    ["https://münchen.de/ü", "https://xn--mnchen-3ya.de/%C3%BC"],
    ["http://localhost:3000/verify", "http://localhost:3000/verify"],
    ["http://app.localhost/", "http://app.localhost/"],
    ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/"],
    ["http://[::1]:8080/", "http://[::1]:8080/"],
  ])("reads %j as %j", (text, url) => {
    expect(parseHttpUrl(text, "url")).toBe(url);
  });

  test.each([
    [""],
    ["app.example.com"],
    ["//app.example.com"],
    ["/path"],
    ["http://example.com/"],
    ["http://localhost.example.com/"],
    ["http://127.0.0.1.example.com/"],
    ["http://localhost@example.com/"],
    ["https://user@example.com/"],
    ["https://user:password@example.com/"],
    ["https://example.com/#part"],
    ["https://example.com/#"],
    ["https://example.com\\@evil.example/"],
    [" https://example.com/"],
    ["https://example.com/\r\nx"],
    ["https://exa\tmple.com/"],
    ["https://[::1/"],
    ["https://example.com:99999/"],
    ["ftp://example.com/"],
    ["javascript:alert(1)"],
    ["data:text/html,x"],
    ["https://"],
    [`https://example.com/${"x".repeat(2_048)}`],
    [`https://example.com/${"ü".repeat(1_000)}`],
    ["https://example.com/\ud800"],
  ])("refuses %j", (text) => {
    expect(() => parseHttpUrl(text, "url")).toThrow(Failure);
  });

  test("keeps a fragment where one is allowed", () => {
    const url = parseHttpUrl("https://example.com/#/verify", "url", { fragmentAllowed: true });

    expect(url).toBe("https://example.com/#/verify");
  });
});

describe("parseOrigin", () => {
  test.each([
    ["https://app.example.com", "https://app.example.com"],
    ["https://App.example.com:443/", "https://app.example.com"],
    ["http://localhost:5173", "http://localhost:5173"],
  ])("reads %j as %j", (text, origin) => {
    expect(parseOrigin(text, "origin")).toBe(origin);
  });

  test.each([
    ["https://app.example.com/path"],
    ["https://app.example.com?"],
    ["https://app.example.com#"],
    ["http://app.example.com"],
    ["*"],
    ["null"],
    ["https://*.example.com/"],
  ])("refuses %j", (text) => {
    expect(() => parseOrigin(text, "origin")).toThrow(Failure);
  });
});

describe("parseDomain", () => {
  test.each([
    ["App.Example.com", "app.example.com"],
    ["münchen.de", "xn--mnchen-3ya.de"],
    ["localhost", "localhost"],
  ])("reads %j as %j", (text, domain) => {
    expect(parseDomain(text, "domain")).toBe(domain);
  });

  test.each([
    [""],
    ["example"],
    ["example.com:80"],
    ["https://example.com"],
    ["example.com/"],
    ["192.0.2.1"],
    ["2130706433"],
    ["0x7f.1"],
    ["[::1]"],
    ["*.example.com"],
    ["example.com."],
    ["ex ample.com"],
    ["user@example.com"],
    [`${"a.".repeat(126)}com`],
  ])("refuses %j", (text) => {
    expect(() => parseDomain(text, "domain")).toThrow(Failure);
  });
});
