import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { PeerProblem } from "../../gen/signet/v1/change_pb.ts";
import {
  type ListPeersResponse,
  ListPeersResponseSchema,
  TestPeerResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import { CheckFailed, type Context } from "./context.ts";
import { layOutPeers, layOutPeerTest, PROBLEMS } from "./peer-layout.ts";
import { addPeerSync } from "./peer-sync-command.ts";

interface ListOptions extends AnswerOptions {
  readonly site?: string;
}

const PAGE_SIZE = 100; // A Signet has no more Peers.

/** Adds `signet peer …`. */
export function addPeerCommands(root: Command, context: Context): void {
  const peer = root
    .command("peer")
    .description("Shows, tests and follows the Signets from which Users may come.");
  addList(peer, context);
  addTest(peer, context);
  addPeerSync(peer, context);
}

function addList(peer: Command, context: Context): void {
  addCommand(peer, "list", {
    description: "Lists the peers that are asked about unknown Users, and how they are doing.",
    examples: ["signet peer list", "signet peer list --site <id> --json"],
  })
    .option("--site <id>", "only those of this Site")
    .action(async (options: ListOptions) => {
      const answer = await withClient(context, (client) => listPeers(client, options.site));
      printAnswer(context, options, ListPeersResponseSchema, answer, layOutPeers);
    });
}

/** Asks for all Peers, or those of one Site. */
async function listPeers(
  { sync }: SignetClient,
  siteId: string | undefined,
): Promise<ListPeersResponse> {
  const { peers } = await sync.listPeers({ siteId: siteId ?? "", pageSize: PAGE_SIZE });
  return create(ListPeersResponseSchema, { peers });
}

function addTest(peer: Command, context: Context): void {
  addCommand(peer, "test", {
    description: "Calls a peer with the key that is configured; a success closes its breaker.",
    examples: ["signet peer test shop"],
  })
    .argument("<name>", "the peer's name in SIGNET_PEERS")
    .action((name: string, options: AnswerOptions) => testPeer(context, name, options));
}

async function testPeer(context: Context, name: string, options: AnswerOptions): Promise<void> {
  const answer = await withClient(context, ({ sync }) => sync.testPeer({ name }));
  printAnswer(context, options, TestPeerResponseSchema, answer, layOutPeerTest);
  if (answer.problem === PeerProblem.UNSPECIFIED) return;
  throw new CheckFailed(`the peer fails: ${PROBLEMS.wordOf(answer.problem)}`, 1);
}
