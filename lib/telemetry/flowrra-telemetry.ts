import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { context, metrics, type MeterProvider, trace, type TracerProvider } from '@opentelemetry/api';
import { BoundedCounts } from '../job/bounded-counts.js';
import type { Clock } from '../job/clock.js';
import { FlowrraConfigError } from '../job/errors.js';
import type {
  AttemptSpan,
  Instrument,
  Instrumentation,
  InstrumentedApplication,
  TraceCarrier,
  SubmittedBatch,
} from '../run/instrumentation.js';
import type { Attempt } from '../job/job.js';
import { type MaybePromise, isPromise } from '../job/async.js';
import { parentLink } from '../run/threads/parent-link.js';
import { JobMetrics } from './job-metrics.js';
import { carrierOf, endAttempt, endSubmission, failSubmission, TaskSpans } from './task-spans.js';
import type { Carrier } from './trace-context.js';

/** Where spans and measurements go, if not to the providers that are registered globally. */
export interface FlowrraTelemetryOptions {
  /** Where spans go. Default: the provider that is registered globally. */
  tracerProvider?: TracerProvider;
  /** Where measurements go. Default: the provider that is registered globally. */
  meterProvider?: MeterProvider;
}

export const TELEMETRY_OPTIONS = Symbol('flowrra:telemetry-options');

const NAME = 'flowrra';

/** What each job carries to its attempts. */
interface TraceMark {
  readonly trace: Carrier;
  /** Milliseconds since the epoch, by its submitter's clock. */
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
    const counts = new BoundedCounts(() => application.counts(), clock);
    const jobMetrics = new JobMetrics(meterProvider.getMeter(NAME), counts);
    own$.subscribe((event) => jobMetrics.hear(event));
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
    const carrier = carrierOf(open);
    const carry: TraceCarrier = ({ delay }): TraceMark => ({ trace: carrier, due: this.clock.now() + delay });
    return context.with(open.context, () =>
      followed(
        () => send(carry),
        (accepted) => endSubmission(open.span, accepted),
        (error) => failSubmission(open.span, error),
      ),
    );
  }

  attempt(attempt: Attempt, mark: unknown): AttemptSpan {
    this.metrics.started(attempt, dueOf(mark) ?? attempt.submittedAt, this.clock.now());
    const open = this.spans.attempt(attempt, traceOf(mark));
    const startedAt = performance.now();
    return {
      within: (call) => context.with(open.context, call),
      ended: (outcome) => {
        this.metrics.ended(attempt, outcome, performance.now() - startedAt);
        endAttempt(open.span, outcome);
      },
    };
  }
}

/** Of what a job carries, however its submitter came to write it. */
function traceOf(mark: unknown): Carrier | undefined {
  return (mark as TraceMark | undefined)?.trace;
}

function dueOf(mark: unknown): number | undefined {
  const due: unknown = (mark as TraceMark | undefined)?.due;
  return typeof due === 'number' ? due : undefined;
}

/** Calls one of the two when it is known what has come of it; at once, where that is known at once. */
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
