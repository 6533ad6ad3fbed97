import { describeSpan, isTracing, traced } from "../model/tracing.ts";
import type { PipelineOutcome } from "./pipeline.ts";

interface Text {
  readonly text: string;
}

/** Runs a statement as a span: its text has no values in it, since they are parameters. */
export function tracedStatement<T>({ text }: Text, run: () => Promise<T>): Promise<T> {
  if (!isTracing) return run();
  const query = onOneLine(text);
  const [operation = ""] = query.split(" ");
  return traced(spanOf(operation, query), run, (error) => ({ type: typeOf(error), isFault: true }));
}

/** Runs statements that go to PostgreSQL in one round trip as one span. */
export function tracedRoundTrip(
  statements: readonly Text[],
  run: () => Promise<PipelineOutcome>,
): Promise<PipelineOutcome> {
  if (!isTracing) return run();
  const query = statements.map(({ text }) => onOneLine(text)).join("; ");
  const span = spanOf("batch", query, { "db.operation.batch.size": statements.length });
  return traced(span, async () => {
    const outcome = await run();
    if (outcome.error) describeSpan({ "error.type": typeOf(outcome.error) });
    return outcome;
  });
}

function spanOf(operation: string, query: string, more: Readonly<Record<string, number>> = {}) {
  const attributes = {
    "db.system.name": "postgresql",
    "db.operation.name": operation,
    "db.query.text": query,
    ...more,
  };
  return { name: operation, kind: "client", attributes } as const;
}

function onOneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

/** The SQLSTATE where PostgreSQL has answered. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return "code" in error ? String(error.code) : error.name;
}
