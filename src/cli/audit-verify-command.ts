import type { Command } from "commander";
import type { AuditEvent } from "../../gen/signet/v1/user_service_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { type BrokenLink, createChainCheck, type VerifyReport } from "./audit-chain.ts";
import { layOutVerifyReport } from "./audit-layout.ts";
import { withClient } from "./connection.ts";
import { CheckFailed, type Context, UsageError } from "./context.ts";
import { listenForInterruption } from "./interruption.ts";
import { numberOption, present } from "./options.ts";
import { createProgress, type Progress } from "./progress.ts";

interface VerifyOptions extends AnswerOptions {
  readonly site?: string;
  readonly from?: number;
  readonly expectHead?: string;
}

const PAGE_SIZE = 500;
const EXIT = { broken: 5, headMissing: 6 } as const;
const HASH = /^[0-9a-f]{64}$/;

/** Adds `signet audit verify`. */
export function addAuditVerify(audit: Command, context: Context): void {
  addCommand(audit, "verify", {
    description:
      "Checks the chain of a Site's audit log: that no event was altered, removed or moved. " +
      "It prints the head; keep it elsewhere, and name it next time, to learn of a cut-off end. " +
      "It ends with 5 at the first broken link, and with 6 where the expected head is not found.",
    examples: [
      "signet audit verify --site <id>",
      "signet audit verify --site <id> --from 1200 --expect-head <hash of event 1200 or later>",
    ],
  })
    .option("--site <id>", "the Site; not needed with a site key")
    .addOption(numberOption("--from <n>", "begin with this event, and trust what is before it"))
    .option("--expect-head <hash>", "a head that was printed before; it must be in the chain")
    .action((options: VerifyOptions) => verify(context, options));
}

async function verify(context: Context, options: VerifyOptions): Promise<void> {
  const { site, from = 1 } = options;
  const expected = options.expectHead?.toLowerCase();
  if (from < 1) throw new UsageError("--from must be 1 or more");
  if (expected !== undefined && !HASH.test(expected)) {
    throw new UsageError("--expect-head must be 64 hexadecimal digits");
  }
  using interruption = listenForInterruption();
  const report = await withClient(context, (client) =>
    checkChain(client, {
      ...present({ siteId: site }),
      from: BigInt(from),
      expected,
      onProgress: createProgress(context.terminal, "events"),
      signal: interruption.signal,
    }),
  ).finally(() => context.terminal.show(""));
  context.terminal.print(options.json ? toJsonText(report) : layOutVerifyReport(report));
  requireWhole(report);
}

interface CheckOptions {
  readonly siteId?: string;
  readonly from: bigint;
  readonly expected: string | undefined;
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
}

async function checkChain(client: SignetClient, options: CheckOptions): Promise<VerifyReport> {
  const { from, expected, onProgress } = options;
  const check = createChainCheck(from);
  let broken: BrokenLink | undefined;
  let expectedAt: bigint | undefined;
  const total = await countEvents(client, options);
  for await (const event of listChain(client, options)) {
    broken = check.next(event);
    if (broken) break;
    if (check.head() === expected) expectedAt = check.sequence();
    if (check.sequence() % BigInt(PAGE_SIZE) === 0n) onProgress(Number(check.sequence()), total);
  }
  const found = expectedAt === undefined ? {} : { sequence: expectedAt };
  return {
    from,
    until: check.sequence(),
    head: check.head(),
    erased: check.erased(),
    broken,
    expectedHead: expected === undefined ? undefined : { hash: expected, ...found },
  };
}

async function countEvents(
  { users }: SignetClient,
  { siteId, signal }: CheckOptions,
): Promise<number> {
  const request = { ...present({ siteId }), pageSize: 1 };
  const { events } = await users.listAuditEvents(request, { signal });
  return Number(events[0]?.link?.sequence ?? 0);
}

async function* listChain(
  { users }: SignetClient,
  { siteId, from, signal }: CheckOptions,
): AsyncGenerator<AuditEvent> {
  const request = { ...present({ siteId }), oldestFirst: true, sequenceFrom: from };
  let pageToken = "";
  do {
    const page = await users.listAuditEvents(
      { ...request, pageSize: PAGE_SIZE, pageToken },
      { signal },
    );
    yield* page.events;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

/** In protobuf's manner, numbers of 64 bits are strings. */
function toJsonText(report: VerifyReport): string {
  const toText = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);
  const { broken, expectedHead } = report;
  const isWhole = broken === undefined && (!expectedHead || expectedHead.sequence !== undefined);
  return JSON.stringify({ whole: isWhole, ...report }, toText, 2);
}

/** @throws {CheckFailed} where it is not. */
function requireWhole({ broken, expectedHead, until }: VerifyReport): void {
  if (broken) {
    const { sequence, problem } = broken;
    throw new CheckFailed(`the chain is broken: event ${sequence} ${problem}`, EXIT.broken);
  }
  if (expectedHead && expectedHead.sequence === undefined) {
    const problem = `no event up to ${until} has the expected head: the end is cut off or replaced`;
    throw new CheckFailed(problem, EXIT.headMissing);
  }
}
