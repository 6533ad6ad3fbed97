import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { openSecretsSignet, type SecretsSignet } from "../support/secrets-signet.ts";
import type { SecretSite } from "../support/secrets-site.ts";
import { playSecrets } from "../support/secrets-story.ts";
import { createSecretsVault, spellingsOf } from "../support/secrets-vault.ts";
import { until } from "../support/waiting.ts";

let signet: SecretsSignet;
let site: SecretSite;
beforeAll(async () => {
  signet = await openSecretsSignet();
  site = await playSecrets(signet);
});
afterAll(() => signet[Symbol.asyncDispose]());

describe("what goes through Signet at the level trace", () => {
  test("has sixty secrets and more, of every kind", () => {
    expect(signet.vault.names.length).toBeGreaterThanOrEqual(60);
  });

  test("leaves none of them in the log", async () => {
    const { service, vault } = signet;
    await until(() => service.stderr().includes("VerifyPeerLogin"));

    expect(service.stderr()).toContain('"rpc"');
    expect(vault.foundIn(service.stderr())).toEqual([]);
    expect(vault.foundIn(service.stdout())).toEqual([]);
  });

  test("leaves none of them in the database, and none in its files", async () => {
    const dumps = await signet.dump();

    expect(dumps.length).toBeGreaterThan(20);
    expect(dumps.flatMap((dump) => signet.vault.foundIn(dump))).toEqual([]);
  });

  test("tells none of them in changes, in the audit log and in webhooks", async () => {
    const { sync, users } = site.site.backend;
    const changes = await sync.listChanges({ start: WatchStart.SNAPSHOT });
    const { events } = await users.listAuditEvents({ pageSize: 500 });
    const hooks = signet.receiver.texts;

    expect([events.length, hooks.length].every((count) => count > 0)).toBe(true);
    for (const told of [changes, events, hooks]) {
      expect(signet.vault.foundIn(toText(told))).toEqual([]);
    }
  });

  test("tells none of them in errors and figures", async () => {
    const { errors, vault, service } = signet;
    const figures = await fetch(`${service.url}/metrics`).then((answer) => answer.text());

    expect(errors.length).toBeGreaterThan(30);
    expect(vault.foundIn(errors.join("\n"))).toEqual([]);
    expect(vault.foundIn(figures)).toEqual([]);
  });
});

describe("the search", () => {
  test("finds a secret in every spelling, and at every distance from the beginning", () => {
    const vault = createSecretsVault();
    const secret = vault.plant("a password", 'correct "hörse" / battery=staple');
    const places = [
      ...spellingsOf(Buffer.from(secret)).map((spelling) => `before ${spelling} after`),
      ...["", "x", "xy"].map((user) => Buffer.from(`${user}${secret}:end`).toString("base64")),
      `token=${encodeURIComponent(secret)}&`,
      JSON.stringify({ deep: [{ secret }] }),
      `...${secret.slice(-20)}`,
    ];

    expect(places.filter((place) => vault.foundIn(place).length === 0)).toEqual([]);
    expect(vault.foundIn("nothing of it: correct horse battery staple")).toEqual([]);
  });
});

function toText(value: unknown): string {
  return JSON.stringify(value, (_, one) => {
    if (one instanceof Uint8Array) return Buffer.from(one).toString();
    return typeof one === "bigint" ? `${one}` : one;
  });
}
