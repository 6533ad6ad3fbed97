import type { CursorBox } from "../crypto/cursor-box.ts";
import type { Envelope } from "../crypto/envelope.ts";
import type { KeyedDigest } from "../crypto/keyed-digest.ts";
import type { PasswordHasher } from "../crypto/password-hash.ts";
import type { Clock } from "../model/clock.ts";
import type { User } from "../model/user.ts";
import type { BreachedPasswords } from "../outbound/breached-passwords.ts";
import type { WebhookPost } from "../outbound/webhook-post.ts";
import type { LogStep } from "../store/changes.ts";
import type { Database } from "../store/database.ts";
import type { KnownSites } from "./known-sites.ts";
import type { LiveState } from "./live-state.ts";
import type { Peers } from "./peers.ts";
import type { WebhookEvent } from "./webhook-events.ts";

/** What the rules work with; main.ts builds it once. */
export interface Deps {
  readonly db: Database;
  readonly clock: Clock;
  readonly hasher: PasswordHasher;
  /** Absent: nobody is asked. */
  readonly breachedPasswords: BreachedPasswords | undefined;
  readonly envelope: Envelope;
  readonly cursors: CursorBox;
  readonly keyedDigest: KeyedDigest;
  /** SHA-256 of the operator key; see `crypto/site-secret`. */
  readonly operatorKeyHash: Buffer;
  /** Encodes what is published of a User; the bytes are opaque below `rpc/`. */
  readonly encodeUser: (user: User) => Uint8Array;
  /** Writes the body of a webhook's request. */
  readonly encodeWebhookEvent: (event: WebhookEvent) => string;
  readonly webhookPost: WebhookPost;
  /** Other Signets from which Users may come. */
  readonly peers: Peers;
  /** Where Signet is reached, without a slash at the end; issuers begin with it. */
  readonly publicUrl: string;
  readonly sites: KnownSites;
  readonly live: LiveState;
  /**
   * Wakes the reader after a commit that changed something, or gives it what the commit itself has
   * numbered; it wakes those of other processes.
   */
  readonly wakeReader: (numbered?: LogStep) => void;
}
