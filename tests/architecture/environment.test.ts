import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { CONFIG_VARIABLES } from "../../src/config-variables.ts";

const example = readFileSync(".env.example", "utf8");
const compose = readFileSync("docker-compose.yml", "utf8");

/** Variables of the file, set or commented out: `NAME=` or `#NAME=`. */
const documented = [...example.matchAll(/^#?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name);
const interpolated = [...compose.matchAll(/\$\{([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name);
const commandLine = ["SIGNET_URL", "SIGNET_KEY", "SIGNET_PROFILE", "DATABASE_ADMIN_URL"];

describe(".env.example", () => {
  test("has every variable of the service, the command line and docker compose, once", () => {
    const known = new Set([...CONFIG_VARIABLES, ...commandLine, ...interpolated]);

    expect(documented.toSorted()).toEqual([...known].toSorted());
  });

  test("works as it is", () => {
    expect(() => parseConfig(parseEnv(example))).not.toThrow();
  });

  test("holds no secret that someone could leave in place", () => {
    const secrets = /^#?(SIGNET_(OPERATOR_KEY|MASTER_KEYS|KEY)|\w+_PASSWORD)=(.*)$/gm;

    const values = [...example.matchAll(secrets)].map(([, , , value]) => value);

    expect(values.length).toBeGreaterThanOrEqual(5);
    expect(values.every((value) => value === "")).toBe(true);
  });
});
