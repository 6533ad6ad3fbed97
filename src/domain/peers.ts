import type { Logger } from "pino";
import type { Clock } from "../model/clock.ts";
import type { PeerConfig } from "../model/peer.ts";
import type { User } from "../model/user.ts";
import { createPeerClient, type PeerClient } from "../outbound/peer-client.ts";
import type { Credentials } from "../store/credentials.ts";
import type { MintedChallenge } from "./login-challenges.ts";
import { createPeerBoard, type PeerBoard } from "./peer-board.ts";
import { createPeerMemory, type PeerMemory } from "./peer-memory.ts";

/** A User whom a Peer has vouched for, and who is known here from now on. */
export interface ArrivedUser {
  readonly outcome: "user";
  readonly user: User;
  readonly credentials: Credentials;
  /** Accepted already. */
  readonly guess?: undefined;
}

/** What came of a login that Peers were asked about. */
export type PeerArrival =
  | ArrivedUser
  | { readonly outcome: "challenge"; readonly challenge: MintedChallenge };

/** The Peers, how they are called, and what is known of them for a while. */
export interface Peers {
  readonly board: PeerBoard;
  readonly client: PeerClient;
  readonly memory: PeerMemory<PeerArrival>;
}

/** Creates what the rules about Peers work with. */
export function createPeers(options: {
  readonly peers: readonly PeerConfig[];
  readonly internalHosts: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}): Peers {
  return {
    board: createPeerBoard(options.peers, options),
    client: createPeerClient(options.internalHosts),
    memory: createPeerMemory(),
  };
}
