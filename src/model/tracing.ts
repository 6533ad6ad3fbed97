import {
  type Attributes,
  type Context,
  context,
  ProxyTracer,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";

/** One piece of work, as traces show it. */
export interface TracedWork {
  readonly name: string;
  /** What it is to the process: a call that comes in, one that goes out, or a job. */
  readonly kind: "server" | "client" | "consumer";
  /** Named by OpenTelemetry's conventions; never a secret, an address or a value of a statement. */
  readonly attributes: Attributes;
  /** Headers of who has asked for it; absent: it belongs to what is under way. */
  readonly from?: Readonly<Record<string, unknown>>;
  /** The `traceparent` of what has caused it, to which it only points. */
  readonly causedBy?: string | undefined;
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
} as const;

/** An SDK is registered before the program, by `node --import`; else everything here is idle. */
const TRACER = sdkTracer();

/** Whether anybody wants traces: asked first where the question alone should cost nothing. */
export const isTracing = TRACER !== undefined;

/** What a trace says of an error; its text may hold anything, and is left out. */
export interface TracedError {
  readonly type: string;
  /** Whether whoever did the work is to blame. */
  readonly isFault: boolean;
}

/**
 * Does the work as a span of its own, of which what happens meanwhile is a part. Work that goes out
 * is shown only as a part of something: what polls would fill the traces.
 */
export async function traced<T>(
  work: TracedWork,
  run: () => Promise<T>,
  describe: (error: unknown) => TracedError = byName,
): Promise<T> {
  if (!TRACER || (work.kind === "client" && !trace.getActiveSpan())) return await run();
  const parent = work.from ? propagation.extract(ROOT_CONTEXT, work.from) : context.active();
  const span = startSpan(TRACER, work, parent);
  try {
    return await context.with(trace.setSpan(parent, span), run);
  } catch (error) {
    const { type, isFault } = describe(error);
    span.setAttribute("error.type", type);
    if (isFault) span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Adds what is known only now to the span of what is under way. */
export function describeSpan(attributes: Attributes): void {
  if (TRACER) trace.getActiveSpan()?.setAttributes(attributes);
}

/** Headers by which others continue the trace of what is under way; empty without one. */
export function traceHeaders(): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  if (TRACER) propagation.inject(context.active(), headers);
  return headers;
}

/** The id of the trace of what is under way; undefined without one. */
export function traceId(): string | undefined {
  return TRACER && trace.getActiveSpan()?.spanContext().traceId;
}

function sdkTracer(): Tracer | undefined {
  const tracer = trace.getTracer("signet");
  // The API's own stand-in, as long as there is no SDK.
  return tracer instanceof ProxyTracer ? undefined : tracer;
}

function startSpan(
  tracer: Tracer,
  { name, kind, attributes, causedBy }: TracedWork,
  at: Context,
): Span {
  const cause = causedBy
    ? trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent: causedBy }))
    : undefined;
  const links = cause ? [{ context: cause }] : [];
  return tracer.startSpan(name, { kind: KINDS[kind], attributes, links }, at);
}

function byName(error: unknown): TracedError {
  return { type: error instanceof Error ? error.name : typeof error, isFault: true };
}
