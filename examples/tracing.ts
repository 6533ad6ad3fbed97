// Shows Signet in traces. Loaded before it: node --import ./examples/tracing.ts src/main.ts
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";

// Prints each span as a line of JSON. In its place put the exporter of your collector, such as
// OTLPTraceExporter of @opentelemetry/exporter-trace-otlp-proto.
const exporter: SpanExporter = {
  export(spans, done) {
    for (const span of spans) console.log(JSON.stringify(describe(span)));
    done({ code: 0 });
  },
  shutdown: () => Promise.resolve(),
};

function describe(span: ReadableSpan) {
  const { name, kind, attributes, links, status } = span;
  const { traceId, spanId } = span.spanContext();
  const parentId = span.parentSpanContext?.spanId;
  const linked = links.map((link) => link.context.spanId);
  return { name, kind, traceId, spanId, parentId, attributes, linked, status: status.code };
}

// The share of the calls that are traced; who calls with a `traceparent` decides for its own.
const { TRACE_RATIO = "1" } = process.env;
const root = new TraceIdRatioBasedSampler(Number(TRACE_RATIO));

trace.setGlobalTracerProvider(
  new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 500 })],
  }),
);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
