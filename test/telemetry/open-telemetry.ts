import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace-base';

/** One measurement or sum, with its attributes in one line. */
export type Points = Record<string, unknown>;

/** What an SDK sets up once in a process: how contexts are kept, and how they travel. */
export function startContexts(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

export function stopContexts(): void {
  context.disable();
  propagation.disable();
}

/** The providers of one application, which keep what they are given. */
export class Recording {
  private readonly begun: ReadableSpan[] = [];
  private readonly metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  private readonly reader = new PeriodicExportingMetricReader({
    exporter: this.metricExporter,
    exportIntervalMillis: 3_600_000,
  });
  readonly tracerProvider = new BasicTracerProvider({
    spanProcessors: [
      {
        onStart: (span) => void this.begun.push(span),
        onEnd: () => undefined,
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve(),
      },
    ],
  });
  readonly meterProvider = new MeterProvider({ readers: [this.reader] });
  readonly tracer = this.tracerProvider.getTracer('test');

  /** Those that have ended, in the order in which they began. */
  get spans(): ReadableSpan[] {
    return this.begun.filter(({ ended }) => ended);
  }

  span(name: string, taskId?: string): ReadableSpan {
    const found = this.spans.filter(
      (span) => span.name === name && (!taskId || span.attributes['messaging.message.id'] === taskId),
    );
    if (found.length === 1) return found[0] as ReadableSpan;
    throw new Error(`${found.length} spans are called ${name}, among ${this.spans.map((span) => span.name)}`);
  }

  /** What is measured now, by attributes: of a histogram its count, its smallest and its largest. */
  async measured(name: string): Promise<Points> {
    this.metricExporter.reset();
    await this.reader.forceFlush();
    const [exported] = this.metricExporter.getMetrics();
    const metric = exported?.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .find(({ descriptor }) => descriptor.name === name);
    const points = (metric?.dataPoints ?? []) as { attributes: object; value: unknown }[];
    return Object.fromEntries(points.map(({ attributes, value }) => [lineOf(attributes), valueOf(value)]));
  }

  async shutdown(): Promise<void> {
    await this.tracerProvider.shutdown();
    await this.meterProvider.shutdown();
  }
}

function lineOf(attributes: object): string {
  return Object.entries(attributes)
    .filter(([name]) => name !== 'messaging.system')
    .map(([, value]) => String(value))
    .join(' ');
}

function valueOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { count, min, max } = value as { count: number; min: number; max: number };
  return { count, min, max };
}
