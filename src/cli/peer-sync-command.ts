import { setTimeout as sleep } from "node:timers/promises";
import { toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { type Peer, PeerSchema } from "../../gen/signet/v1/change_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import { CheckFailed, type Context } from "./context.ts";
import { listenForInterruption } from "./interruption.ts";
import { numberOption } from "./options.ts";
import { syncText } from "./peer-layout.ts";

interface SyncOptions extends AnswerOptions {
  readonly follow?: true;
  readonly timeoutSeconds: number;
}

const PAGE_SIZE = 100; // A Signet has no more Peers.
const POLL_MS = 500;
const TIMEOUT_SECONDS_DEFAULT = 3_600;

/** Adds `signet peer sync`. */
export function addPeerSync(peer: Command, context: Context): void {
  addCommand(peer, "sync", {
    description: "Waits until all Users of a peer are here, while the service takes them.",
    examples: ["signet peer sync shop", "signet peer sync shop --follow"],
  })
    .argument("<name>", 'the peer\'s name in SIGNET_PEERS, where it has "sync": true')
    .option("--follow", "go on, and print what happens until Ctrl-C")
    .addOption(
      numberOption("--timeout-seconds <n>", "wait no longer").default(TIMEOUT_SECONDS_DEFAULT),
    )
    .action((name: string, options: SyncOptions) =>
      withClient(context, (client) => followPeer(context, client, name, options)),
    );
}

async function followPeer(
  { terminal }: Context,
  client: SignetClient,
  name: string,
  options: SyncOptions,
): Promise<void> {
  using interruption = listenForInterruption();
  const { signal } = interruption;
  const endMs = performance.now() + options.timeoutSeconds * 1_000;
  let printed = "";
  while (!signal.aborted) {
    const peer = await findPeer(client, name);
    const line = options.json ? toLine(peer) : `${name}: ${syncText(peer) ?? "not begun"}`;
    const isThere = isInStep(peer);
    if (line !== printed && (isThere || !options.json || options.follow)) terminal.print(line);
    printed = line;
    if (isThere && !options.follow) return;
    if (!isThere && !options.follow && performance.now() >= endMs) {
      throw new CheckFailed(`the sync from ${name} is not in step yet`, 1);
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Everything up to the newest change that is known here is applied. */
function isInStep({ sync }: Peer): boolean {
  return sync?.contactTime !== undefined && sync.head > 0n && sync.position >= sync.head;
}

async function findPeer({ sync }: SignetClient, name: string): Promise<Peer> {
  const { peers } = await sync.listPeers({ pageSize: PAGE_SIZE });
  const peer = peers.find((each) => each.name === name);
  if (!peer) throw new CheckFailed(`there is no peer ${name} in SIGNET_PEERS of the service`, 1);
  if (peer.sync) return peer;
  throw new CheckFailed(
    `nothing is synced from ${name}: set "sync": true in its entry of SIGNET_PEERS`,
    1,
  );
}

function toLine(peer: Peer): string {
  return JSON.stringify(toJson(PeerSchema, peer, { alwaysEmitImplicit: true }));
}
