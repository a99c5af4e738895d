import {
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { StepTry, SubmittedBatch } from '../run/instrumentation.js';
import type { Attempt, AttemptError } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import { ATTRIBUTES, attributesOf, baseName } from './attributes.js';
import { type Carrier, extract, inject } from './trace-context.js';

/** A span, and the context in which it is the active span. */
export interface OpenSpan {
  readonly span: Span;
  readonly context: Context;
}

/** Spans of submissions and of attempts. The span of an attempt is a child of its submission's span, also in another process. */
export class TaskSpans {
  constructor(private readonly tracer: Tracer) {}

  /** @param cause The trace of the job whose end submits this batch; `undefined` for the active trace. */
  submission(batch: SubmittedBatch, cause: Carrier | undefined): OpenSpan {
    const attributes = {
      ...attributesOf(batch),
      [ATTRIBUTES.operation]: 'submit',
      [ATTRIBUTES.operationType]: 'send',
      ...(batch.jobs !== 1 && { [ATTRIBUTES.batch]: batch.jobs }),
    };
    const parent = cause === undefined ? context.active() : extract(cause);
    return this.open(`flowrra submit ${batch.taskName}`, SpanKind.PRODUCER, attributes, parent);
  }

  attempt(attempt: Attempt, submitter: Carrier | undefined): OpenSpan {
    const attributes = {
      ...attributesOf(attempt),
      [ATTRIBUTES.operation]: 'run',
      [ATTRIBUTES.operationType]: 'process',
      [ATTRIBUTES.taskId]: attempt.taskId,
      [ATTRIBUTES.attempt]: attempt.retries + 1,
    };
    // Never the active context: the parent is the submission, or there is none.
    return this.open(
      `flowrra run ${attempt.taskName}`,
      SpanKind.CONSUMER,
      attributes,
      extract(submitter ?? {}),
    );
  }

  /** @param attempt The span of the attempt. */
  step(of: Attempt, { name, kind, retries }: StepTry, attempt: OpenSpan): OpenSpan {
    const attributes = {
      ...attributesOf(of),
      [ATTRIBUTES.taskId]: of.taskId,
      [ATTRIBUTES.step]: name,
      [ATTRIBUTES.stepKind]: kind,
      [ATTRIBUTES.stepRetries]: retries,
    };
    return this.open(`flowrra ${kind} ${baseName(name)}`, SpanKind.INTERNAL, attributes, attempt.context);
  }

  private open(
    name: string,
    kind: SpanKind,
    attributes: Record<string, string | number>,
    parent: Context,
  ): OpenSpan {
    const span = this.tracer.startSpan(name, { kind, attributes }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }
}

/** The trace as a job carries it to its attempts. */
export function carrierOf({ context: within }: OpenSpan): Carrier {
  return inject(within);
}

export function endSubmission(span: Span, accepted: string | string[]): void {
  const ids = typeof accepted === 'string' ? [accepted] : accepted;
  if (ids.length === 1) span.setAttribute(ATTRIBUTES.taskId, ids[0] as string);
  span.end();
}

export function failSubmission(span: Span, error: unknown): void {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  span.recordException(error instanceof Error ? error : message);
  span.setAttribute(ATTRIBUTES.errorType, name);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.end();
}

export function endAttempt(span: Span, outcome: Outcome): void {
  span.setAttribute(ATTRIBUTES.outcome, outcome.kind);
  if (outcome.kind === 'failed' || outcome.kind === 'retry') recordError(span, outcome.error);
  span.end();
}

export function endStep(span: Span, outcome: string, error: AttemptError | null): void {
  span.setAttribute(ATTRIBUTES.outcome, outcome);
  if (error !== null) recordError(span, error);
  span.end();
}

function recordError(span: Span, { name, message, code, stack }: AttemptError): void {
  span.recordException({ name, message, ...(code !== null && { code }), ...(stack !== null && { stack }) });
  span.setAttribute(ATTRIBUTES.errorType, name);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
