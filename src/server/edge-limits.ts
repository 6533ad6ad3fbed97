import { LIMITS } from "../model/limits.ts";

/**
 * What one process grants to clients that it knows nothing about yet. Units stand last in the
 * names; every value can be replaced in {@link EdgeLimits}, mostly by tests.
 */
export const EDGE_LIMITS = {
  /** Sockets in all. A mirror or a verifier needs one each, so this is one process's audience. */
  connectionsMax: 12_000,
  /** Sockets of one client: an IPv4 address or an IPv6 /64. Trusted proxies are exempt. */
  connectionsPerClientMax: 4_000,
  /** Calls under way in all; a request that does not arrive costs 11 KiB, a stream 45. */
  callsMax: 20_000,
  /** Calls under way of one client, so that one client alone cannot take every place. */
  callsPerClientMax: 12_000,
  /** Calls whose client streams its requests: imports and reflection. */
  requestStreamsMax: 1_000,
  requestStreamsPerClientMax: 200,

  /** How long a socket may take to show which protocol it speaks. */
  firstBytesMsMax: 10_000,
  tlsHandshakeMsMax: 10_000,
  /** The header block of a request; a bearer token has at most 4 KiB. */
  headerBytesMax: 16 * 1024,
  headersMax: 100,
  /** What a hosted page sends: a token and two passwords of 256 characters, each up to 12 bytes. */
  formBytesMax: 16 * 1024,

  /** HTTP/1.1: how long the header block, and the whole request, may take to arrive. */
  headersMsMax: 10_000,
  requestMsMax: 300_000,
  /** HTTP/1.1: how often those two are enforced. */
  requestCheckMs: 2_000,
  /** HTTP/1.1: longer than the 60 s after which common balancers drop an idle connection. */
  keepAliveMs: 75_000,
  /** HTTP/1.1: a socket on which nothing moves; the heartbeat of a stream comes every 15 s. */
  socketIdleMsMax: 300_000,

  /** HTTP/2: what gRPC clients assume anyway before they have seen the settings. */
  streamsPerConnectionMax: 100,
  /**
   * HTTP/2: memory of one session, in MB. Node's 10 MB refuse new streams once a few snapshot
   * pages wait for a slow reader; 100 streams with a page each need about 50.
   */
  sessionMegabytesMax: 64,
  /** HTTP/2: entries of one SETTINGS frame, and PINGs of ours not yet answered. */
  settingsEntriesMax: 32,
  pingsOutstandingMax: 4,
  /** HTTP/2: malformed frames, and streams refused on arrival, before the session ends. */
  invalidFramesMax: 100,
  rejectedStreamsMax: 100,
  /** HTTP/2: a client may reset this many streams at once, and then so many a second. */
  streamResetBurstMax: 1_000,
  streamResetsPerSecondMax: 33,
  /** HTTP/2: a client is pinged this often, and cut off when it has missed two pings. */
  pingIntervalMs: 20_000,
  pingsMissedMax: 2,
  /** HTTP/2: a session without a stream is closed after this time. */
  sessionIdleMsMax: 300_000,

  messageBytesMax: LIMITS.messageBytesMax,
  answerBytesMax: LIMITS.answerBytesMax,
  callTimeoutMsDefault: LIMITS.callTimeoutMsDefault,
  callTimeoutMsMax: LIMITS.callTimeoutMsMax,
  /** How long a client that streams requests may stay silent. */
  requestStreamIdleMsMax: 300_000,
  /** How long a client may leave an answer unread; SLOW_CONSUMER comes first, after 30 s. */
  answerStallMsMax: 45_000,
  /** How long it may leave the end of a stream unread that has failed, SLOW_CONSUMER above all. */
  failureStallMsMax: 10_000,
  /**
   * After an answer to a request that is still arriving: how long the socket stays open. A client
   * that is held up for longer, and goes on to write before it reads, does not see the answer.
   */
  lingerMsMax: 5_000,
  /** HTTP/1.1: how long an answer waits for the body that comes before it and nobody wants. */
  discardMsMax: 1_000,

  healthWatchesMax: 2_000,
  reflectionStreamsMax: 64,
  reflectionRequestsPerStreamMax: 1_000,
} as const;

/** The values of {@link EDGE_LIMITS}, any of which may differ. */
export type EdgeLimits = { readonly [Name in keyof typeof EDGE_LIMITS]: number };
