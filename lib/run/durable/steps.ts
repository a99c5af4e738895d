import { Logger } from '@nestjs/common';
import { codeOf, describeError } from '../../job/attempt-error.js';
import type { Clock } from '../../job/clock.js';
import { resolveStepOptions, type ResolvedStep, type StepCall } from '../../job/durable-options.js';
import { TaskRunTimeoutError } from '../../job/errors.js';
import type { Attempt, AttemptError } from '../../job/job.js';
import { isUndoable, roundOf, type StepRecord } from '../../job/journal/journal-record.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { payloadFromJson, payloadToJson } from '../../job/payload/payload-text.js';
import { printed, shownText } from '../../job/show-value.js';
import type { AttemptSpan, StepSpan, StepTry } from '../instrumentation.js';
import { LazyAbort } from '../lazy-abort.js';
import type { DurableAttempt } from './durable-attempt.js';
import { insideStep } from './inside-step.js';

const MAX_RETRY_DELAY_MS = 3_600_000;
/** Errors by which a task decides about its job, or that a further try cannot avoid. */
const NO_RETRY: ReadonlySet<string | null> = new Set([
  'FLOWRRA_FATAL',
  'FLOWRRA_RETRY',
  'FLOWRRA_SNOOZE',
  'FLOWRRA_FORBIDDEN',
  'FLOWRRA_ARGUMENTS',
  'FLOWRRA_CONFIG',
  'FLOWRRA_DURABLE',
  'FLOWRRA_PAYLOAD',
]);

export interface StepParts {
  readonly attempt: Attempt;
  /** The end of the attempt. */
  readonly end: LazyAbort;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  readonly span: () => AttemptSpan | null;
  finished(name: string, startedAt: number, error: AttemptError | null): void;
}

type StepFunction = (call: StepCall) => unknown;

interface Undo {
  readonly record: StepRecord;
  readonly options: ResolvedStep;
}

/** Runs the steps of one attempt: a step that has finished in an earlier one answers from the journal. */
export class Steps {
  /** The finished steps of this attempt that can be undone, by name. */
  private readonly undos = new Map<string, Undo>();
  /** The names of steps that could not be undone. */
  private readonly givenUp = new Set<string>();

  constructor(
    private readonly durable: DurableAttempt,
    private readonly parts: StepParts,
  ) {}

  async run(name: string, fn: StepFunction, given: unknown): Promise<unknown> {
    const options = resolveStepOptions(given ?? {});
    const { durable, parts } = this;
    const recorded = durable.journal.get<StepRecord>('step', name);
    const isUndone = recorded?.state === 'undone' && durable.isUndoing;
    if (recorded?.state === 'done' || isUndone) return this.answered(recorded, options);
    const isOfRound = recorded?.round === roundOf(parts.attempt);
    const hasFailed = recorded?.state === 'failed' || recorded?.hasFailed === true;
    // In an earlier round, the code may have caught the error, and gone on to steps that are to be undone.
    if (hasFailed && durable.isUndoing) throw errorOf(recorded.error);
    if (durable.isUndoing) return durable.block();
    if (recorded?.state === 'failed' && isOfRound) throw errorOf(recorded.error);
    if (recorded?.state === 'trying' && isOfRound) await durable.waitUntil(recorded.dueAt ?? 0);
    const before = { tries: isOfRound ? recorded.tries : 0, hasFailed };
    const record = await this.tried(name, fn, options, before);
    return this.answered(record, options);
  }

  /** Whether a finished step of any attempt can be undone. */
  get canUndo(): boolean {
    return this.durable.journal.undoable > 0;
  }

  /** Whether another attempt has to undo steps: one, in case that the code is not reached each time. */
  get leavesUndo(): boolean {
    return !this.durable.beganUndoing && this.undoable().some(({ name }) => !this.givenUp.has(name));
  }

  /** The finished steps of all attempts that can be undone, oldest first. */
  private undoable(): StepRecord[] {
    return [...this.durable.journal.all()].filter(isUndoable);
  }

  /** Undoes the finished steps, the last one first. A step that cannot be undone is logged. */
  async undoAll(): Promise<void> {
    for (const record of this.undoable()
      .toReversed()
      .toSorted((a, b) => b.endedAt - a.endedAt)) {
      if (this.durable.leavesUndo) return;
      const undo = this.undos.get(record.name);
      if (undo !== undefined) await this.undo(undo);
      // A step whose record was stored after the code had been given up: another attempt reaches it.
      else if (!this.durable.beganUndoing) return;
      else this.notUndone(record.name, 'its code was not reached again.');
    }
  }

  private async undo({ record, options }: Undo): Promise<void> {
    const { undo } = options;
    if (undo === undefined) return;
    const call: StepFunction = (step) =>
      undo(resultOf(record) as never, {
        key: `${step.key}/undo`,
        attempt: step.attempt,
        signal: step.signal,
      });
    for (let tries = 1; ; tries++) {
      const span = this.spanOf(record.name, 'undo', tries);
      try {
        await this.called(record.name, call, options, tries, span);
        span?.ended('success', null);
        break;
      } catch (error) {
        const outcome = tries > options.maxRetries ? 'failed' : 'retry';
        span?.ended(outcome, describeError(error, tries, this.parts.clock.now()));
        if (this.durable.leavesUndo) return;
        if (tries > options.maxRetries) {
          this.notUndone(record.name, printed(error));
          return;
        }
        await new Promise<void>((resolve) => this.parts.clock.after(delayOf(options, tries), resolve));
      }
    }
    await this.durable.journal.append([{ ...record, state: 'undone' }], true);
  }

  private notUndone(name: string, why: string): void {
    this.givenUp.add(name);
    const { taskName, taskId } = this.parts.attempt;
    new Logger('Flowrra').error(
      `The step ${shownText(name)} of ${taskName} ${shownText(taskId)} could not be undone: ${why}`,
    );
  }

  private answered(record: StepRecord, options: ResolvedStep): unknown {
    if (options.undo !== undefined && record.state === 'done')
      this.undos.set(record.name, { record, options });
    // The rest of the code would run for nothing, and might not return.
    if (this.durable.isUndoing && this.undos.size >= this.durable.journal.undoable)
      return this.durable.block();
    return resultOf(record);
  }

  /** @param before The number of earlier tries, and whether the step has failed in an earlier round. */
  private async tried(
    name: string,
    fn: StepFunction,
    options: ResolvedStep,
    before: { readonly tries: number; readonly hasFailed: boolean },
  ): Promise<StepRecord> {
    const { durable, parts } = this;
    const { clock, attempt, end } = parts;
    for (let tries = before.tries + 1; ; tries++) {
      const startedAt = clock.now();
      const about = { kind: 'step', name, startedAt, tries, round: roundOf(attempt) } as const;
      const span = this.spanOf(name, 'step', tries);
      let result: unknown;
      try {
        result = payloadToJson(
          parts.codec.copyResult(await this.called(name, fn, options, tries, span, end)),
        );
        span?.ended('success', null);
      } catch (error) {
        const described = describeError(error, tries, clock.now());
        const isLast = end.aborted || tries > options.maxRetries || NO_RETRY.has(codeOf(error));
        span?.ended(isLast ? 'failed' : 'retry', described);
        // The end of the attempt decides about the job.
        if (end.aborted) throw error;
        const failed = { ...about, endedAt: clock.now(), error: described };
        const dueAt = clock.now() + (isLast ? 0 : delayOf(options, tries));
        await durable.record([
          isLast
            ? { ...failed, state: 'failed' }
            : { ...failed, state: 'trying', dueAt, ...(before.hasFailed && { hasFailed: true }) },
        ]);
        parts.finished(name, startedAt, described);
        if (isLast) throw error;
        await durable.waitUntil(dueAt);
        continue;
      }
      const canUndo = options.undo === undefined ? {} : { canUndo: true };
      const endedAt = durable.journal.endOfStep(clock.now());
      const record: StepRecord = { ...about, state: 'done', endedAt, result, ...canUndo };
      await durable.record([record]);
      parts.finished(name, startedAt, null);
      return record;
    }
  }

  private spanOf(name: string, kind: StepTry['kind'], tries: number): StepSpan | null {
    return this.parts.span()?.step({ name, kind, retries: tries - 1 }) ?? null;
  }

  /** @param end Ends the call; none for a step that is undone after the end of the attempt. */
  private async called(
    name: string,
    fn: StepFunction,
    { timeout }: ResolvedStep,
    attempt: number,
    span: StepSpan | null,
    end?: LazyAbort,
  ): Promise<unknown> {
    const { clock } = this.parts;
    const run = (call: StepCall): Promise<unknown> => insideStep(this.durable, async () => fn(call));
    const traced = span === null ? run : (call: StepCall) => span.within(() => run(call));
    const key = `${this.parts.attempt.taskId}/${name}`;
    if (timeout === Infinity) {
      const ending = end ?? new LazyAbort();
      return traced({
        key,
        attempt,
        get signal() {
          return ending.signal;
        },
      });
    }
    const own = new AbortController();
    const signal = end === undefined ? own.signal : AbortSignal.any([end.signal, own.signal]);
    return new Promise((resolve, reject) => {
      const cancelTimer = clock.after(timeout, () => {
        const late = new TaskRunTimeoutError(
          `The step '${name}' ran for longer than its timeout of ${timeout} ms`,
        );
        own.abort(late);
        reject(late);
      });
      traced({ key, attempt, signal }).then(resolve, reject).finally(cancelTimer);
    });
  }
}

function delayOf({ backoff, retryDelay }: ResolvedStep, tries: number): number {
  const factor = backoff === 'fixed' ? 1 : 2 ** Math.min(tries - 1, 30);
  return Math.min(retryDelay * factor, MAX_RETRY_DELAY_MS);
}

function resultOf({ result }: StepRecord): unknown {
  return payloadFromJson(result);
}

/** The error of a step as the method sees it again: with the name, the message and the code of the original one. */
function errorOf(error: AttemptError | undefined): Error {
  const { name = 'Error', message = '', code = null, stack } = error ?? {};
  const again = new Error(message);
  again.name = name;
  if (stack) again.stack = stack;
  return code === null ? again : Object.assign(again, { code });
}
