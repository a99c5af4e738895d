import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import {
  context,
  metrics,
  type MeterProvider,
  type Span,
  trace,
  type TracerProvider,
} from '@opentelemetry/api';
import { BoundedAnswer } from '../job/bounded-answer.js';
import type { Clock } from '../job/clock.js';
import { FlowrraConfigError } from '../job/errors.js';
import type {
  AttemptSpan,
  Instrument,
  Instrumentation,
  InstrumentedApplication,
  StepSpan,
  StepTry,
  SubmittedBatch,
  TraceCarrier,
} from '../run/instrumentation.js';
import type { Attempt } from '../job/job.js';
import { type MaybePromise, isPromise } from '../job/async.js';
import { parentLink } from '../run/threads/parent-link.js';
import { JobMetrics } from './job-metrics.js';
import {
  carrierOf,
  endAttempt,
  endStep,
  endSubmission,
  failSubmission,
  type OpenSpan,
  TaskSpans,
} from './task-spans.js';
import type { Carrier } from './trace-context.js';

/** The providers of spans and metrics. */
export interface FlowrraTelemetryOptions {
  /** Receives spans. @defaultValue the provider that is registered globally */
  tracerProvider?: TracerProvider;
  /** Receives measurements. @defaultValue the provider that is registered globally */
  meterProvider?: MeterProvider;
}

export const TELEMETRY_OPTIONS = Symbol('flowrra:telemetry-options');

const NAME = 'flowrra';

/** The trace data that each job carries to its attempts. */
interface TraceData {
  readonly trace: Carrier;
  /** When the job is due, in milliseconds since the epoch by its submitter's clock. */
  readonly due: number;
}

/** Creates the spans and metrics of one application. */
@Injectable()
export class FlowrraTelemetry implements Instrument, OnModuleInit, OnApplicationShutdown {
  private metrics: JobMetrics | null = null;

  constructor(@Inject(TELEMETRY_OPTIONS) private readonly options: FlowrraTelemetryOptions) {}

  instrument(application: InstrumentedApplication): Instrumentation {
    const { tracerProvider = trace, meterProvider = metrics } = this.options;
    const { clock, own$ } = application;
    const counts = new BoundedAnswer(() => application.counts(), clock);
    const jobMetrics = new JobMetrics(meterProvider.getMeter(NAME), counts);
    own$.subscribe((event) => jobMetrics.record(event));
    this.metrics = jobMetrics;
    return new TracedJobs(clock, new TaskSpans(tracerProvider.getTracer(NAME)), jobMetrics);
  }

  /** @throws {FlowrraConfigError} if another FlowrraTelemetryModule instruments the application. */
  onModuleInit(): void {
    if (this.metrics === null && parentLink() === null)
      throw new FlowrraConfigError('FlowrraTelemetryModule.forRoot() is imported twice. Import it once.');
  }

  onApplicationShutdown(): void {
    this.metrics?.close();
  }
}

/** Follows submissions and attempts with spans and metrics. */
class TracedJobs implements Instrumentation {
  constructor(
    private readonly clock: Clock,
    private readonly spans: TaskSpans,
    private readonly metrics: JobMetrics,
  ) {}

  submit<T extends string | string[]>(
    batch: SubmittedBatch,
    send: (carry: TraceCarrier) => MaybePromise<T>,
  ): MaybePromise<T> {
    const open = this.spans.submission(batch, traceOf(batch.cause));
    const propagated = carrierOf(open);
    const carrier: TraceCarrier = ({ delay }): TraceData => ({
      trace: propagated,
      due: this.clock.now() + delay,
    });
    return context.with(open.context, () =>
      followed(
        () => send(carrier),
        (accepted) => endSubmission(open.span, accepted),
        (error) => failSubmission(open.span, error),
      ),
    );
  }

  attempt(attempt: Attempt, data: unknown): AttemptSpan {
    this.metrics.started(attempt, dueOf(data) ?? attempt.submittedAt, this.clock.now());
    const open = this.spans.attempt(attempt, traceOf(data));
    const startedAt = performance.now();
    const steps = new Set<Span>();
    return {
      within: (call) => context.with(open.context, call),
      step: (step) => this.step(attempt, step, open, steps),
      ended: (outcome) => {
        // Their functions have not ended: the attempt was abandoned, or its thread has died.
        for (const span of steps) span.end();
        this.metrics.ended(attempt, outcome, performance.now() - startedAt);
        endAttempt(open.span, outcome);
      },
    };
  }

  private step(attempt: Attempt, step: StepTry, open: OpenSpan, openSteps: Set<Span>): StepSpan {
    const { span, context: within } = this.spans.step(attempt, step, open);
    const startedAt = performance.now();
    openSteps.add(span);
    return {
      within: (call) => context.with(within, call),
      ended: (outcome, error) => {
        openSteps.delete(span);
        if (step.kind === 'step')
          this.metrics.stepEnded(attempt, step.name, outcome, performance.now() - startedAt);
        endStep(span, outcome, error);
      },
    };
  }
}

/** The trace in the data of a job. Another program may have written it, so any part may be missing. */
function traceOf(data: unknown): Carrier | undefined {
  return (data as TraceData | undefined)?.trace;
}

function dueOf(data: unknown): number | undefined {
  const due: unknown = (data as TraceData | undefined)?.due;
  return typeof due === 'number' ? due : undefined;
}

/** Calls `ended` or `failed` when `run` has settled: synchronously if `run` returns no promise. */
function followed<T>(
  run: () => MaybePromise<T>,
  ended: (value: T) => void,
  failed: (error: unknown) => void,
): MaybePromise<T> {
  let value: MaybePromise<T>;
  try {
    value = run();
  } catch (error) {
    failed(error);
    throw error;
  }
  if (isPromise(value))
    return value.then(
      (answer) => {
        ended(answer);
        return answer;
      },
      (error: unknown) => {
        failed(error);
        throw error;
      },
    );
  ended(value);
  return value;
}
