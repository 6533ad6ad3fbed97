import { describe, expect, test } from "vitest";
import { type VerifyWebhookOptions, verifyWebhook } from "../../../src/client/webhook.ts";
import { createWebhookGaps, type WebhookGap } from "../../../src/client/webhook-gaps.ts";
import { signWebhook } from "../../../src/crypto/webhook-signature.ts";
import { secret } from "../../../src/model/secret.ts";
import { until } from "../../support/waiting.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NOW = new Date("2026-06-01T12:00:00Z");
const SECONDS = NOW.getTime() / 1_000;
const BODY = '{"type":"user.created","position":"7","previousPosition":"6"}';

describe("verifyWebhook", () => {
  test("believes what is signed with one of the secrets", () => {
    const { id, event } = verify(signed({ secrets: [OTHER, SECRET] }));

    expect(id).toBe("evt_1");
    expect(event).toMatchObject({ type: "user.created", position: 7n, previousPosition: 6n });
  });

  test("knows one good signature among others, of other versions too", () => {
    const good = signed()["webhook-signature"];
    const headers = { ...signed(), "webhook-signature": `v1a,AAAA v1,AAAA ${good}` };

    expect(verify(headers).id).toBe("evt_1");
  });

  test("reads headers of the Fetch API, bodies of bytes, and what later versions add", () => {
    const body = '{"type":"test","invented":{"x":1}}';
    const headers = new Headers(signed({ body }));

    const { event } = verifyWebhook(
      { headers, body: Buffer.from(body) },
      { secrets: [SECRET], now: NOW },
    );

    expect(event.type).toBe("test");
  });

  test.each<[string, Partial<ReturnType<typeof signed>>, string]>([
    ["no signature", { "webhook-signature": "" }, "header_missing"],
    ["no id", { "webhook-id": "" }, "header_missing"],
    ["another id", { "webhook-id": "evt_2" }, "signature_mismatch"],
    ["no number for a time", { "webhook-timestamp": "now" }, "time_malformed"],
    ["another time", { "webhook-timestamp": `${SECONDS + 1}` }, "signature_mismatch"],
    ["a signature cut short", { "webhook-signature": "v1,AAAA" }, "signature_mismatch"],
    ["a signature of no version", { "webhook-signature": "AAAA" }, "signature_mismatch"],
  ])("refuses %s", (_, headers, problem) => {
    expect(() => verify({ ...signed(), ...headers })).toThrow(expect.objectContaining({ problem }));
  });

  test.each([-301, 301])("refuses a request of %i seconds from now", (seconds) => {
    const headers = signed({ timestampSeconds: SECONDS + seconds });

    expect(() => verify(headers)).toThrow(
      expect.objectContaining({ problem: "time_out_of_tolerance" }),
    );
    expect(verify(headers, { toleranceSeconds: 302 }).id).toBe("evt_1");
  });

  test("refuses another body, another secret, none, and what is no event", () => {
    const mismatch = expect.objectContaining({ problem: "signature_mismatch" });
    const tampered = { headers: signed(), body: BODY.replace("7", "8") };
    const noEvent = { headers: signed({ body: "[1]" }), body: "[1]" };
    const options = { secrets: [SECRET], now: NOW };

    expect(() => verifyWebhook(tampered, options)).toThrow(mismatch);
    expect(() => verify(signed(), { secrets: [OTHER] })).toThrow(mismatch);
    expect(() => verify(signed(), { secrets: [] })).toThrow(mismatch);
    expect(() => verifyWebhook(noEvent, options)).toThrow(
      expect.objectContaining({ problem: "body_malformed" }),
    );
  });
});

describe("what has not come", () => {
  test("is told after a while, and what comes late by a little is not", async () => {
    const told: WebhookGap[] = [];
    const gaps = createWebhookGaps(30, async (gap) => void told.push(gap));

    for (const position of [1n, 3n, 2n, 5n]) {
      gaps.note({ epoch: 1, position, previousPosition: position - 1n });
    }
    await until(() => told.length > 0);

    expect(told).toEqual([{ epoch: 1, position: 4n }]);
    gaps.close();
  });

  test("is told again where the answer to it fails", async () => {
    let calls = 0;
    const gaps = createWebhookGaps(5, async () => {
      calls += 1;
      if (calls < 3) throw new Error("away");
    });

    gaps.note({ epoch: 1, position: 9n, previousPosition: 8n });

    await until(() => calls === 3);
    gaps.close();
  });

  test("is everything after a restore", async () => {
    const told: WebhookGap[] = [];
    const gaps = createWebhookGaps(60_000, async (gap) => void told.push(gap));

    gaps.note({ epoch: 1, position: 9n, previousPosition: 8n });
    gaps.note({ epoch: 2, position: 5n, previousPosition: 4n });
    gaps.note({ epoch: 1, position: 10n, previousPosition: 9n });

    expect(told).toEqual([{ epoch: 2, position: undefined }]);
    gaps.close();
  });
});

function signed(given: { secrets?: string[]; body?: string; timestampSeconds?: number } = {}) {
  const { secrets = [SECRET], body = BODY, timestampSeconds = SECONDS } = given;
  const content = { id: "evt_1", timestampSeconds, body };
  return {
    "webhook-id": content.id,
    "webhook-timestamp": `${timestampSeconds}`,
    "webhook-signature": signWebhook(secrets.map(secret), content),
  };
}

function verify(headers: ReturnType<typeof signed>, options: Partial<VerifyWebhookOptions> = {}) {
  return verifyWebhook({ headers, body: BODY }, { secrets: [SECRET], now: NOW, ...options });
}
