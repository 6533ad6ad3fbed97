import type { SigningKeyId } from "./id.ts";
import type { SigningAlgorithm } from "./site.ts";

/** Published before it signs, kept past the longest token that it has signed, then gone. */
export type SigningKeyState = "next" | "current" | "previous" | "withdrawn";

/** A key that signs a Site's access tokens, as far as it may be shown. */
export interface SigningKeyFacts {
  readonly id: SigningKeyId;
  readonly algorithm: SigningAlgorithm;
  readonly state: SigningKeyState;
  /** Since when the JWKS has it. */
  readonly createTime: Date;
  /** Since when it signs; absent for the next key. */
  readonly activateTime: Date | undefined;
  /** When the next key takes over; absent: nobody has asked. */
  readonly switchTime: Date | undefined;
  /** When a previous key leaves the JWKS. */
  readonly retireTime: Date | undefined;
}
