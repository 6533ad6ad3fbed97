import { expect, test } from "vitest";
import { mintWebhookSecret, signWebhook } from "../../../src/crypto/webhook-signature.ts";
import { secret } from "../../../src/model/secret.ts";

/** From the tests of the reference libraries of Standard Webhooks. */
const VECTOR = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestampSeconds: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};

test("a signature is that of the specification", () => {
  expect(signWebhook([secret(VECTOR.secret)], VECTOR)).toBe(VECTOR.signature);
});

test("each live secret makes one signature, in the order given", () => {
  const other = mintWebhookSecret();

  const header = signWebhook([other, secret(VECTOR.secret)], VECTOR);

  expect(header).toBe(`${signWebhook([other], VECTOR)} ${VECTOR.signature}`);
});

test("a secret is 256 random bits, and none is another", () => {
  const texts = Array.from({ length: 100 }, () => mintWebhookSecret().reveal());

  expect(new Set(texts).size).toBe(100);
  for (const text of texts) expect(text).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
});
